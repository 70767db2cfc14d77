"""The tree of a query."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True)
class Everything:
    """An empty query."""


@dataclasses.dataclass(frozen=True, slots=True)
class Contains:
    """``text`` occurs in the caption; with ``is_phrase`` as whole words. Case makes no difference.

    ``is_prefix``: the last word of a phrase is a prefix.
    """

    text: str
    is_phrase: bool = False
    is_prefix: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Tag:
    """One of the caption's comma-separated parts is ``text``; case makes no difference."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Path:
    """``text`` occurs in the picture's path, or matches it as a pattern with ``*`` or ``?``."""

    text: str


@dataclasses.dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression is found in the caption."""

    pattern: str
    ignore_case: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Size:
    """The number of ``words``, ``chars`` or ``tokens`` is from ``low`` to ``high``, both included."""

    unit: str
    low: int = 0
    high: int | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Mark:
    """A property of the row, such as ``status`` ``done``."""

    field: str
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Not:
    """The rows that do not match."""

    node: Node


@dataclasses.dataclass(frozen=True, slots=True)
class And:
    """The rows that match all parts."""

    nodes: tuple[Node, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Or:
    """The rows that match any part."""

    nodes: tuple[Node, ...]


Node = Everything | Contains | Tag | Path | Pattern | Size | Mark | Not | And | Or


def mentions(node: Node, part: Node) -> bool:
    """Whether a tree contains this part."""
    match node:
        case And(nodes) | Or(nodes):
            return any(mentions(each, part) for each in nodes)
        case Not(inner):
            return mentions(inner, part)
    return node == part
