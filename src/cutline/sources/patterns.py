"""Glob patterns and lists in braces as inputs: which files below their fixed folder they cover."""

from __future__ import annotations

import fnmatch
import itertools
import os
import re
from collections.abc import Callable
from typing import TypeAlias

from cutline.errors import ConfigError
from cutline.storage import is_remote

MAX_FILES = 1_000_000
_BRACES = re.compile(r"\{([^{}]+)\}")
_NUMBERS = re.compile(r"(\d+)\.\.(\d+)")
_PATTERN = re.compile(r"[*?\[]|\{[^{}]*(\.\.|,)[^{}]*\}")
_Match: TypeAlias = Callable[[str], object]


def is_glob(path: str) -> bool:
    return any(sign in path for sign in "*?[")


def is_pattern(path: str) -> bool:
    """Whether a path stands for several files, and is none itself."""
    return bool(_PATTERN.search(path)) and (is_remote(path) or not os.path.lexists(path))


def fixed_folder(path: str) -> str:
    """The folder that a path is or begins with, before any pattern."""
    found = re.search(r"[*?\[{]", path)
    if not found or (not is_remote(path) and os.path.exists(path)):  # noqa: PTH110 - a name may be too long for pathlib
        return path
    folder, slash, _ = path[: found.start()].rpartition("/")
    return folder or slash or "."


def has_braces(path: str) -> bool:
    return bool(_BRACES.search(path))


def names_in_braces(path: str) -> list[str]:
    """What lists such as ``{00000..00012}`` and ``{a,b}`` stand for; ConfigError: too many."""
    parts = _BRACES.split(path)
    choices = [[part] if index % 2 == 0 else _choices(part) for index, part in enumerate(parts)]
    names = ["".join(chosen) for chosen in itertools.islice(itertools.product(*choices), MAX_FILES + 1)]
    if len(names) > MAX_FILES:
        raise ConfigError(f"{path} stands for more than {MAX_FILES:,} files")
    return names


class Pattern:
    """The part of a pattern below ``root``, its fixed folder.

    As in a shell, ``*`` stays within a folder and ``**`` does not; a folder that is covered, is covered with
    all that it holds.
    """

    def __init__(self, path: str) -> None:
        """ConfigError: braces stand for too many files."""
        self.root = fixed_folder(path)
        rest = path if self.root == "." and not path.startswith("./") else path[len(self.root) :]
        parts = [part for part in rest.removeprefix("./").split("/") if part]
        self._depth = parts.index("**") if "**" in parts else len(parts)
        self._parts = list(map(_part, parts[: self._depth]))
        self._rest = _regex(parts[self._depth :]) if self._depth < len(parts) else None

    def covers(self, path: str) -> bool:
        """Whether a file is meant, by its path relative to ``root``."""
        names = path.split("/")
        if len(names) < self._depth or not self._begins(names):
            return False
        return self._rest is None or bool(self._rest.match("/".join(names[self._depth :])))

    def may_hold(self, folder: str) -> bool:
        """Whether a folder, by its relative path, may hold files that are meant."""
        return self._begins(folder.rstrip("/").split("/"))

    def _begins(self, names: list[str]) -> bool:
        return all(match(name) for match, name in zip(self._parts, names, strict=False))


def _part(part: str) -> _Match:
    names = names_in_braces(part)
    if not is_glob(part):
        return frozenset(names).__contains__
    return re.compile("|".join(map(fnmatch.translate, names))).match


def _regex(parts: list[str]) -> re.Pattern[str]:
    """For the parts from ``**`` on."""
    whole = ""
    for number, part in enumerate(parts, 1):
        last = number == len(parts)
        if part == "**":
            whole += ".*" if last else "(?:[^/]+/)*"
        else:
            names = [_within(name) for name in names_in_braces(part)]
            whole += f"(?:{'|'.join(names)})" + ("" if last else "/")
    return re.compile(f"(?s:{whole})(?:/.*)?\\Z")


def _within(name: str) -> str:
    """A part as a regular expression that stays within one folder."""
    inner = fnmatch.translate(name).removeprefix("(?s:").removesuffix(")\\Z").removesuffix(")\\z")
    return inner.replace(".*", "[^/]*")


def _choices(inside: str) -> list[str]:
    numbers = _NUMBERS.fullmatch(inside)
    if not numbers:
        return inside.split(",")
    first, last = numbers.groups()
    if int(last) - int(first) > MAX_FILES:
        raise ConfigError(f"{{{inside}}} stands for more than {MAX_FILES:,} files")
    return [str(number).zfill(len(first)) for number in range(int(first), int(last) + 1)]
