"""How much work a client's JSON Schema may make: its check, and that of every reply."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

MAX_DEPTH: Final = 40
MAX_PARTS: Final = 2_000  # objects in it
MAX_ITEMS: Final = 2_000  # of one list
MAX_EXPANDED: Final = 10_000  # parts, where each reference stands for what it refers to
_IN_PLACE: Final = ("allOf", "anyOf", "oneOf", "not", "if", "then", "else")
_REFUSED: Final = frozenset({"$dynamicRef", "$recursiveRef", "$anchor", "$dynamicAnchor", "$recursiveAnchor"})


def check_bounds(schema: dict[str, Any]) -> None:
    """Raises ValueError for a schema that is too deep, too large, or becomes so through its references.

    Regular expressions are refused, whose search can be without end.
    """
    parts, expansion = 0, _Expansion(schema)
    stack: list[tuple[Any, int]] = [(schema, 1)]
    while stack:
        part, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise ValueError(f"a schema can be nested at most {MAX_DEPTH} levels deep")
        if isinstance(part, dict):
            parts += 1
            _check_keywords(part, depth)
            expansion.check_loops(part)
        elif len(part) > MAX_ITEMS:
            raise ValueError(f"a list in a schema can have at most {MAX_ITEMS} items")
        if parts > MAX_PARTS:
            raise ValueError(f"a schema can have at most {MAX_PARTS} parts")
        children = part.values() if isinstance(part, dict) else part
        stack += [(child, depth + 1) for child in children if isinstance(child, dict | list)]
    expansion.check()


def _check_keywords(part: dict[str, Any], depth: int) -> None:
    """A property may have the name of a keyword, but its value is an object then."""
    if isinstance(part.get("pattern"), str) or part.get("patternProperties"):
        raise ValueError("a schema with pattern is not accepted: use enum, or describe it in the prompt")
    for name, value in part.items():
        if not isinstance(value, dict) and (name in _REFUSED or (name == "$id" and depth > 1)):
            raise ValueError(f"a schema with {name} is not accepted: refer by $ref to #/$defs/…")


class _Expansion:
    """Counts the parts of a schema as if its references were written out."""

    def __init__(self, schema: dict[str, Any]) -> None:
        self._schema = schema
        self._counts: dict[int, int] = {}
        self._open: set[int] = set()
        self._finite: set[int] = set()

    def check(self) -> None:
        if self._count(self._schema, 0) > MAX_EXPANDED:
            raise ValueError("the references in a schema make it too large: write out what is used once")

    def _count(self, part: Any, depth: int) -> int:
        """At least 1; a reference back to where we are is one, as it continues with an inner value only."""
        if depth > 8 * MAX_DEPTH:
            return MAX_EXPANDED + 1
        if isinstance(part, list):
            return sum(self._count(item, depth + 1) for item in part if isinstance(item, dict | list))
        key = id(part)
        if key in self._open:
            return 1
        if key not in self._counts:
            self._open.add(key)
            children = [child for child in part.values() if isinstance(child, dict | list)]
            if (
                isinstance(reference := part.get("$ref"), str)
                and (found := self._target(reference)) is not None
            ):
                children.append(found)
            self._counts[key] = 1 + sum(self._count(child, depth + 1) for child in children)
            self._open.discard(key)
        return self._counts[key]

    def check_loops(self, part: dict[str, Any]) -> None:
        """Raises ValueError where a value would be checked against the same part without end."""
        if id(part) in self._finite:
            return
        path, stack = {id(part)}, [(part, self._in_place(part))]
        while stack:
            current, children = stack[-1]
            child = next(children, None)
            if child is None:
                path.discard(id(current))
                self._finite.add(id(current))
                stack.pop()
            elif id(child) in path:
                raise ValueError("a reference in a schema leads back to itself: refer to an inner value only")
            elif id(child) not in self._finite:
                path.add(id(child))
                stack.append((child, self._in_place(child)))

    def _in_place(self, part: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The parts that a value of ``part`` is checked against itself."""
        reference = part.get("$ref")
        found = [self._target(reference) if isinstance(reference, str) else None]
        for name in _IN_PLACE:
            value = part.get(name)
            found += value if isinstance(value, list) else [value]
        if isinstance(dependent := part.get("dependentSchemas"), dict):
            found += dependent.values()
        return (one for one in found if isinstance(one, dict))

    def _target(self, reference: str) -> dict[str, Any] | None:
        """What ``#/$defs/name`` refers to; None for what is not there, which is refused elsewhere."""
        found: Any = self._schema
        for name in reference.removeprefix("#").split("/")[1:]:
            name = name.replace("~1", "/").replace("~0", "~")  # noqa: PLW2901 - unescaped
            if isinstance(found, list) and name.isdigit() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict):
                found = found.get(name)
            else:
                return None
        return found if isinstance(found, dict) else None
