"""Which caption and which references are of the same picture."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from cutline.errors import ConfigError
from cutline.formatting import printable
from cutline.imaging import EXTENSIONS

_ANY_ENDING: Final = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_NUMBER: Final = re.compile(r"\d+")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """The other side's id of each id that has one; ``by`` says how, such as ``file names``."""

    pairs: Mapping[str, str]
    by: str


def _file_name(key: str) -> str:
    return key.replace("\\", "/").rstrip("/").rpartition("/")[2]


def _without_picture_ending(key: str) -> str:
    stem, _, ending = _file_name(key).rpartition(".")
    return stem if stem and ending.lower() in EXTENSIONS else _file_name(key)


def _stem(key: str) -> str:
    return _ANY_ENDING.sub("", _file_name(key))


def _number(key: str) -> str:
    """The last number in a file's name, as in COCO_val2014_000000391895.jpg."""
    found = _NUMBER.findall(_stem(key))
    return found[-1].lstrip("0") or "0" if found else ""


_WAYS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("ids", str),
    ("file names", _file_name),
    ("file names without ending", _without_picture_ending),
    ("file names without ending", _stem),
)


_DIGITS = 6  # of a file's name that is a number by which data sets know a picture


def _is_number(key: str) -> bool:
    stem = _stem(key)
    return key.isdecimal() or (stem.isdecimal() and len(stem) >= _DIGITS)


def match_ids(
    ids: Iterable[str], others: Iterable[str], names: Mapping[str, str], sides: tuple[str, str]
) -> Matching:
    """Match two sets of ids by the strictest way that matches any.

    In order: as they are, as file names, without ending, by the file names ``names`` of the others, and,
    where one side has nothing but numbers, by the last number of the other's file name. What is not
    unique within its side is not matched.

    Raises:
        ConfigError: no id is common; shows one of each of the ``sides``.
    """
    ids, others = list(ids), list(others)
    for by, way in _WAYS:
        pairs = _pairs(ids, others, way, way)
        if pairs:
            return Matching(pairs=pairs, by=by)
    if names:
        pairs = _pairs(ids, others, _stem, lambda key: _stem(names.get(key, "")))
        if pairs:
            return Matching(pairs=pairs, by="file names of the annotations")
    if any(all(map(_is_number, side)) for side in (ids, others)):
        pairs = _pairs(ids, others, _number, _number)
        if pairs:
            return Matching(pairs=pairs, by="numbers in the file names")
    shown = [printable(one[0])[:80] if one else "nothing" for one in (ids, others)]
    raise ConfigError(
        f"no picture is in both files: {sides[0]} has {shown[0]!r} …, {sides[1]} has {shown[1]!r} …; "
        "give both the same ids or file names"
    )


def _pairs(
    ids: list[str], others: list[str], way: Callable[[str], str], other_way: Callable[[str], str]
) -> dict[str, str]:
    theirs = _unique(others, other_way)
    return {key: theirs[name] for name, key in _unique(ids, way).items() if name in theirs}


def _unique(keys: list[str], way: Callable[[str], str]) -> dict[str, str]:
    """The keys by their names, without those whose name another one has."""
    counts = collections.Counter(map(way, keys))
    return {name: key for key in keys if (name := way(key)) and counts[name] == 1}
