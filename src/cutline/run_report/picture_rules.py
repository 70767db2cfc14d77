"""What a run measured of its pictures before anything was paid, and which of them its rules left out."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.engine.journal_file import JournalFile
from cutline.engine.selection import MEASURES

_RULE: Final = re.compile(r"([\w.-]+)(>=|<=|>|<)(-?\d+(?:\.\d+)?)")
_KEEPS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


def measured_pictures(folder: Path) -> Iterator[tuple[str, dict[str, float]]]:
    """The key of each measured picture, with its values by the measure's name.

    Raises SourceError: the file cannot be read.
    """
    for _, line in JournalFile(folder / MEASURES, read_only=True).load():
        try:
            data = orjson.loads(line)
            values = data.get("values") or {}
            known = {name: float(value) for name, value in values.items() if _is_number(value)}
            yield str(data["key"]), {name.partition("@")[0]: value for name, value in known.items()}
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
            continue  # a damaged line


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def rejects(rule: str, values: Mapping[str, float]) -> str:
    """The measure and value for which a rule such as ``side>=256`` leaves a picture out, if it does.

    Rules by a share of the input, ``sharpness>=p2``, and of duplicates are not known here.
    """
    found = _RULE.fullmatch(rule.replace(" ", ""))
    if found is None or (value := values.get(found[1])) is None:
        return ""
    return "" if _KEEPS[found[2]](value, float(found[3])) else f"{found[1]} {value:.4g}"
