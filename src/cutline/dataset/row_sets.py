"""Named sets of rows, such as a selection on the map; stored in the history."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
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
        """The mask of rows of this name. ConfigError: there is no such name."""
        ...

    def names(self) -> Mapping[str, int]:
        """The names, with their numbers of rows."""
        ...


class RowSets:
    """Sets of rows by name, stored by picture paths, so that they survive a new numbering of rows.

    Thread-safe. Raises as the history.
    """

    def __init__(self, history: History, rows: Mapping[str, int]) -> None:
        """``rows``: row numbers by picture path, in order."""
        self._history, self._rows = history, rows
        self._read: dict[str, tuple[bytes, Mask]] = {}

    def names(self) -> dict[str, int]:
        """The names, the latest first, with their numbers of pictures."""
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
        """Save rows under a name, replacing a set of that name; returns all names, see ``names``.

        If there are too many sets, the oldest one named ``lasso-N`` or ``lint-N`` that no saved filter uses
        is removed.

        Raises:
            ConfigError: the name is invalid, there are no rows, or there are too many sets.
        """
        name = check_name(name, "a set")
        mask = np.zeros(len(self._rows), dtype=bool)
        mask[np.fromiter(rows, np.int64) if not isinstance(rows, np.ndarray) else rows] = True
        count = int(mask.sum())
        if not count:
            raise ConfigError("a set needs at least one picture")
        known = self._by_time()
        number = max((number for _, (number, _) in known), default=0) + 1
        others = [other for other, _ in known if other != name]
        old = [self._oldest(others)] if len(others) >= MOST else []
        content = zlib.compress(self._joined(mask), 1)
        values: dict[str, bytes | None] = {_PREFIX + name: content}
        values[_ABOUT + name] = _HEAD.pack(number, count)
        self._history.store(values | _removal(old))
        self._note(name, content, mask)
        return self.names()

    def put_numbered(self, kind: str, rows: npt.NDArray[np.int64]) -> str:
        """Save rows under an unused name, such as ``lint-3``, and return it. Raises as ``put``."""
        known = (name.removeprefix(f"{kind}-") for name in self.names() if name.startswith(f"{kind}-"))
        name = f"{kind}-{max((int(end) for end in known if end.isdecimal()), default=0) + 1}"
        self.put(name, rows)
        return name

    def remove(self, name: str) -> dict[str, int]:
        """Remove a set; returns the remaining ones.

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

    def _joined(self, mask: Mask) -> memoryview:
        """The keys of rows in UTF-8, with ``_END`` between them."""
        chosen: Any = self._keys.filter(pa.array(mask))
        _, ends, content = chosen.buffers()
        bounds = np.frombuffer(ends, np.int64)[chosen.offset : chosen.offset + len(chosen) + 1]
        return memoryview(content)[int(bounds[0]) : int(bounds[-1]) - 1]

    @functools.cached_property
    def _keys(self) -> pa.LargeBinaryArray:
        """Those of all rows, each with ``_END`` behind it: a million are joined five times as fast."""
        content = (_END.join(self._rows) + _END).encode(errors="surrogatepass")
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == ord(_END)) + 1
        offsets = np.concatenate([[0], ends]).astype(np.int64)
        buffers = [None, pa.py_buffer(offsets), pa.py_buffer(content)]
        return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(self._rows), buffers)

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
            return f"there is no set {name}: no set was saved here yet"
        near = nearest(name, names)
        meant = f"; did you mean {near[0]}?" if near else ""
        more = f" and {len(names) - _SHOWN} more" * (len(names) > _SHOWN)
        return f"there is no set {name}{meant or '; there are ' + ', '.join(sorted(names)[:_SHOWN]) + more}"


def _names(query: str, name: str) -> bool:
    """Whether a query contains ``in:`` with this name."""
    return any(value == name for value in _values(query))


def _values(query: str) -> Iterator[str]:
    for found in regex.finditer(r'\bin:(?:"((?:\\"|[^"])*)"|([^\s()"]+))', query, regex.IGNORECASE):
        yield found[1].replace('\\"', '"') if found[1] is not None else found[2]


def _removal(names: Iterable[str]) -> dict[str, bytes | None]:
    return {prefix + name: None for name in names for prefix in (_PREFIX, _ABOUT)}
