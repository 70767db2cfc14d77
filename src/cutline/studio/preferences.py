"""Preferences of the user: recent folders, keys, positions, and seen tips."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.errors import SinkError
from cutline.files import write_atomically, write_errors

_RECENT: Final = 10
PICKED: Final = 10_000
"""Maximum number of saved picked pictures."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recent:
    """A folder that was open, with its options."""

    folder: str
    sidecar_ext: str = ".txt"
    one_a_line: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the user was in a dataset; ``key`` and ``picked`` are paths of pictures."""

    query: str = ""
    key: str = ""
    picked: tuple[str, ...] = ()


class Preferences:
    """A JSON file, thread-safe; a damaged one is ignored."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._guard = threading.Lock()

    @property
    def recent(self) -> list[Recent]:
        """The latest first."""
        found = []
        kept = self._read().get("recent", [])
        for one in kept if isinstance(kept, list) else ():
            match one:
                case {"folder": str(folder), "sidecar_ext": str(ending), "one_a_line": bool(lines)}:
                    found.append(Recent(folder=folder, sidecar_ext=ending, one_a_line=lines))
        return found

    @property
    def keys(self) -> dict[str, list[str]]:
        """Keyboard shortcuts changed by the user."""
        found = self._read().get("keys", {})
        return {
            name: keys
            for name, keys in (found.items() if isinstance(found, dict) else ())
            if isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        }

    @property
    def has_seen_tips(self) -> bool:
        return bool(self._read().get("tips"))

    def add_recent(self, recent: Recent) -> None:
        """Add a folder; errors of writing are ignored."""
        others = [one for one in self.recent if one.folder != recent.folder]
        kept = [dataclasses.asdict(one) for one in [recent, *others][:_RECENT]]
        with contextlib.suppress(SinkError):
            self.update(recent=kept)

    def place(self, folder: str) -> Place:
        """The last saved position in a folder."""
        match self._places().get(folder):
            case {"query": str(query), "key": str(key), "picked": list(picked)}:
                return Place(
                    query=query, key=key, picked=tuple(each for each in picked if isinstance(each, str))
                )
        return Place()

    def keep_place(self, folder: str, place: Place) -> None:
        """Save a position, for the latest folders; errors of writing are ignored."""
        others = {name: kept for name, kept in self._places().items() if name != folder}
        kept = {**dict(list(others.items())[1 - _RECENT :]), folder: dataclasses.asdict(place)}
        with contextlib.suppress(SinkError):
            self.update(places=kept)

    def _places(self) -> dict[str, Any]:
        found = self._read().get("places", {})
        return found if isinstance(found, dict) else {}

    def update(self, **values: Any) -> None:
        """Save values by name; SinkError: the file cannot be written."""
        with self._guard, write_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, orjson.dumps({**self._read(), **values}))

    def _read(self) -> dict[str, Any]:
        try:
            found = orjson.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
