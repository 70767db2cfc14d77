"""Named sets of rows, such as what was selected on a map. They are kept beside the history."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import regex

from cutline.dataset.filters import check_name, read_filters
from cutline.dataset.history import History
from cutline.errors import ConfigError
from cutline.formatting import nearest

MOST: Final = 200
_PREFIX: Final = "/set/"
_ABOUT: Final = "/set-about/"
_MASKS: Final = 16  # in memory
_SHOWN: Final = 20  # names in a message
_NUMBERED: Final = regex.compile(r"(?:lasso|lint)-\d+")  # names that the studio gives
_HEAD: Final = struct.Struct("<qq")  # the number of a set in the order of time, and of its pictures
_END: Final = "\0"  # of a key: no path has it

Mask = npt.NDArray[np.bool_]


class NamedRows(Protocol):
    """Rows by names, such as clusters."""

    def mask(self, name: str, /) -> Mask:
        """One value for each row of the dataset. ConfigError: there are none of this name."""
        ...

    def names(self) -> Mapping[str, int]:
        """The names, and how many rows each has."""
        ...


class RowSets:
    """Sets of rows by names, kept by the paths of their pictures: they hold when rows get other numbers.

    Any thread may call. Raises as the history.
    """

    def __init__(self, history: History, rows: Mapping[str, int]) -> None:
        """``rows``: the numbers of the rows by the paths of their pictures, in order."""
        self._history, self._rows = history, rows
        self._read: dict[str, tuple[bytes, Mask]] = {}

    def names(self) -> dict[str, int]:
        """The names, the latest first, and how many pictures each set was given."""
        return {name: count for name, (_, count) in self._by_time()}

    def mask(self, name: str) -> Mask:
        """The rows of a set; ConfigError: there is no such set."""
        content = self._history.value(_PREFIX + name)
        if content is None:
            raise ConfigError(self._unknown(name))
        kept = self._read.get(name)
        if kept is None or kept[0] != content:
            keys = zlib.decompress(content).decode(errors="surrogatepass").split(_END)
            found = np.zeros(len(self._rows), dtype=bool)
            found[[self._rows[key] for key in keys if key in self._rows]] = True
            kept = self._note(name, content, found)
        return kept[1].copy()

    def put(self, name: str, rows: Iterable[int] | npt.NDArray[np.int64]) -> dict[str, int]:
        """Keep rows by a name, in place of a set that has it; returns all names, see ``names``.

        Where there are too many sets, the oldest one that is called ``lasso-`` or ``lint-`` and a number
        gives way, unless a saved filter names it.

        Raises:
            ConfigError: the name cannot be one, there are no rows, or there are too many sets.
        """
        name = check_name(name, "a set")
        mask = np.zeros(len(self._rows), dtype=bool)
        mask[np.fromiter(rows, np.int64) if not isinstance(rows, np.ndarray) else rows] = True
        keys = list(itertools.compress(self._rows, mask.tolist()))
        if not keys:
            raise ConfigError("a set needs at least one picture")
        known = self._by_time()
        number = max((number for _, (number, _) in known), default=0) + 1
        others = [other for other, _ in known if other != name]
        old = [self._oldest(others)] if len(others) >= MOST else []
        content = zlib.compress(_END.join(keys).encode(errors="surrogatepass"), 1)
        values: dict[str, bytes | None] = {_PREFIX + name: content}
        values[_ABOUT + name] = _HEAD.pack(number, len(keys))
        self._history.store(values | _removal(old))
        self._note(name, content, mask)
        return self.names()

    def put_numbered(self, kind: str, rows: npt.NDArray[np.int64]) -> str:
        """Keep rows by a name that no set has, such as ``lint-3``; returns it. Raises as ``put``."""
        known = (name.removeprefix(f"{kind}-") for name in self.names() if name.startswith(f"{kind}-"))
        name = f"{kind}-{max((int(end) for end in known if end.isdecimal()), default=0) + 1}"
        self.put(name, rows)
        return name

    def remove(self, name: str) -> dict[str, int]:
        """Remove a set; returns all that are left.

        Raises:
            ConfigError: there is no such set, or a saved filter needs it.
        """
        if name not in self.names():
            raise ConfigError(self._unknown(name))
        for saved, query in read_filters(self._history).items():
            if _names(query, name):
                raise ConfigError(f"the saved filter {saved} needs {name}: forget that filter first")
        self._history.store(_removal([name]))
        self._read.pop(name, None)
        return self.names()

    def _note(self, name: str, content: bytes, mask: Mask) -> tuple[bytes, Mask]:
        self._read.pop(name, None)
        self._read[name] = (content, mask)
        for old in list(self._read)[:-_MASKS]:
            self._read.pop(old, None)
        return content, mask

    def _by_time(self) -> list[tuple[str, tuple[int, int]]]:
        kept = ((name, _HEAD.unpack(about)) for name, about in self._history.values(_ABOUT).items())
        return sorted(kept, key=lambda pair: -pair[1][0])

    def _oldest(self, names: Sequence[str]) -> str:
        filters = read_filters(self._history).values()
        for name in reversed(names):
            if _NUMBERED.fullmatch(name) and not any(_names(query, name) for query in filters):
                return name
        raise ConfigError(f"there are {MOST} sets of rows already: remove one")

    def _unknown(self, name: str) -> str:
        names = list(self.names())
        if not names:
            return f"there is no set {name}: nothing was kept as a set here yet"
        near = nearest(name, names)
        meant = f"; did you mean {near[0]}?" if near else ""
        more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
        return f"there is no set {name}{meant or '; there are ' + ', '.join(sorted(names)[:_SHOWN]) + more}"


def _names(query: str, name: str) -> bool:
    """Whether a query has ``in:`` with this name."""
    return any(value == name for value in _values(query))


def _values(query: str) -> Iterator[str]:
    for found in regex.finditer(r'\bin:(?:"((?:\\"|[^"])*)"|([^\s()"]+))', query, regex.IGNORECASE):
        yield found[1].replace('\\"', '"') if found[1] is not None else found[2]


def _removal(names: Iterable[str]) -> dict[str, bytes | None]:
    return {prefix + name: None for name in names for prefix in (_PREFIX, _ABOUT)}
