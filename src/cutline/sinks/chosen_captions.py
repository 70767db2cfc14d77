"""Which of several captions of a picture is read: ``PATH:NAME`` names a prompt, step or contestant."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean, printable
from cutline.records import JSON
from cutline.sinks.reader import numbered_rows

_NAMED: Final = re.compile(
    r"(?P<path>.+?\.(?:jsonl|ndjson|json|csv|tsv|txt|token|parquet)):(?P<name>.+)", re.IGNORECASE
)
_SHOWN: Final = 10
_FIRST_ROWS: Final = 1000
_OF_STEP: Final = ("model", "prompt_id", "prompt_tokens", "completion_tokens", "finish_reason", "seconds")


def split_choice(value: str) -> tuple[str, str]:
    """The path of a file, and the name of the captions that are chosen in it; empty without one.

    A file that has the whole text as its name is that file.
    """
    if Path(value).exists():
        return value, ""
    if match := _NAMED.fullmatch(value):
        return match["path"], match["name"]
    folder, _, name = value.partition(":")
    return (folder, name) if folder and name and Path(folder).is_dir() else (value, "")


class ChosenCaptions:
    """Reduces the rows of a file to one caption for each picture: a prompt's, step's or contestant's.

    Without a name the caption of each row is left, that of the first contestant in a comparison's table;
    ``note`` tells which that is where there are others.
    """

    def __init__(self, path: str, name: str = "") -> None:
        self._path = path
        self._name = name
        self._names: dict[str, None] = {}
        self._used = ""
        self._is_found = False
        self._is_empty = True

    def rows(self, rows: Iterable[JSON]) -> Iterator[JSON]:
        """The chosen rows; those of pictures that lack the named caption have None for it."""
        for row in rows:
            chosen = self.row(row)
            if chosen is not None:
                yield chosen

    def row(self, row: JSON) -> JSON | None:
        """One row with the chosen caption; None if it is of another contestant."""
        self._is_empty = False
        if "contestant" in row:
            return self._of_contestant(row)
        if not self._name:
            if not self._names:
                self._note_prompts(row)
            return row
        texts = _texts(row)
        self._names.update(dict.fromkeys(texts))
        text = texts.get(self._name, row.get(self._name))
        self._is_found = self._is_found or isinstance(text, str)
        step = next((one for one in _steps(row) if one.get("name") == self._name), {})
        own: JSON = {name: step[name] for name in _OF_STEP if name in step}
        return {**row, **own, "caption": text, "captions": None, "steps": None}

    @property
    def name(self) -> str:
        """The name by which captions are chosen; empty without one."""
        return self._name

    @property
    def names(self) -> list[str]:
        """The names among which there is a choice."""
        return list(self._names)

    @property
    def note(self) -> str:
        """Which captions were used, if there are others that nobody named."""
        if self._name or not self._used or len(self._names) < 2:
            return ""
        others = [name for name in self._names if name != self._used]
        return (
            f"{printable(self._path)}: the captions of {printable(self._used)} are used; "
            f"{printable(self._path)}:NAME chooses others ({_listed(others)})"
        )

    def check(self) -> None:
        """Raise ConfigError if no row has a caption of the name."""
        if not self._name or self._is_found or self._is_empty:
            return
        has = f"it has {_listed(self._names)}" if self._names else "each row has one caption, without a name"
        hint = did_you_mean(self._name, self._names) or ":"
        raise ConfigError(
            f"{printable(self._path)} has no captions of {printable(self._name)!r}{hint} {has}; "
            f"write {printable(self._path)}:NAME with another name, or the path alone"
        )

    def _of_contestant(self, row: JSON) -> JSON | None:
        name = str(row["contestant"])
        self._names.setdefault(name)
        self._used = self._used or self._name or name
        if name != self._used:
            return None
        self._is_found = True
        return {**row, "caption": None} if row.get("problem") else row

    def _note_prompts(self, row: JSON) -> None:
        """Keep the names of several prompts; a chain's caption is its last step's, which is no choice."""
        texts, steps = _texts(row, ("captions",)), _steps(row)
        if len(texts) > 1 and steps and steps[0].get("prompt_id") == row.get("prompt_id"):
            self._names.update(dict.fromkeys(texts))
            self._used = next(iter(texts))


def several_captions(output: str) -> list[str]:
    """The ``PATH:NAME`` of each of several captions in the rows of an output; empty if there is one.

    Raises:
        ConfigError: it cannot be read.
    """
    path, name = split_choice(output)
    if name or not path:
        return []
    chosen = ChosenCaptions(path)
    for _, row in itertools.islice(numbered_rows(path, None, damaged=[]), _FIRST_ROWS):
        chosen.row(row)
    return [shlex.quote(f"{path}:{name}") for name in chosen.names]


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(map(printable, shown[:_SHOWN])) + ", …" * (len(shown) > _SHOWN)


def _texts(row: JSON, columns: tuple[str, ...] = ("fields", "captions")) -> dict[str, str]:
    """The texts of a row by the names of prompts, steps and fields."""
    found: dict[str, str] = {}
    for column in columns:
        value = _decoded(row.get(column))
        if isinstance(value, dict):
            found |= {name: text for name, text in value.items() if isinstance(text, str)}
    return found


def _steps(row: JSON) -> list[JSON]:
    steps = _decoded(row.get("steps"))
    return [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []


def _decoded(value: Any) -> Any:
    """A nested column, which CSV and Parquet hold as JSON text."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
