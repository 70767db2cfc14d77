"""What was measured of pictures, kept in the state folder: a line for each, as soon as it is known."""

from __future__ import annotations

import array
import dataclasses
import hashlib
import math
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import orjson
import pybase64

from cutline.engine.journal_file import JournalFile
from cutline.filters.selection import Measured
from cutline.formatting import stored_key
from cutline.interfaces import Measure
from cutline.measures.hashes import BYTES
from cutline.measures.hashes import VERSION as HASHES
from cutline.measures.pages import BYTES as PAGE_BYTES
from cutline.records import JSON
from cutline.serialization import checked, encode_json

_UNKNOWN: Final = -math.inf  # of a value that was not measured; NaN is that of a picture without
_NO_HASHES: Final = bytes(BYTES)
_NOT_HASHED, _PLAIN, _HASHED = range(3)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureMeasures:
    """What was measured of one picture: values by ``measure_id``, the digest of its bytes, hashes.

    ``page`` is that of ``cutline.measures.pages``, None for all but pages of text.
    ``error`` is the kind and message of a picture that cannot be opened.
    """

    key: str
    content: str
    values: Mapping[str, float | None] = dataclasses.field(default_factory=dict)
    digest: str = ""
    hashes: bytes | None = None
    page: bytes | None = None
    is_hashed: bool = False
    error: tuple[str, str] | None = None


class MeasureStore:
    """Lines by key and content id, of which offsets and numbers are in memory: 325 bytes a picture.

    Of pages of text 4 KB more.

    ``rows`` are numbered as the lines came; a picture that is measured again keeps its row.
    """

    def __init__(self, path: Path, measures: Sequence[Measure]) -> None:
        self._file = JournalFile(path)
        self._ids = {measure.name: measure_id(measure) for measure in measures}
        self._rows: dict[int, int] = {}
        self._contents = array.array("Q")
        self._offsets = array.array("q")
        self._digests = array.array("Q")
        self._values = {name: array.array("d") for name in self._ids}
        self._hashes = bytearray()
        self._pages: dict[int, bytes] = {}
        self._states = bytearray()
        self._failed = bytearray()

    def __len__(self) -> int:
        return len(self._offsets)

    def load(self) -> None:
        """Read what earlier runs measured, then open the file to append; raises SourceError, SinkError."""
        for offset, line in self._file.load():
            try:
                self._add(_from_json(orjson.loads(line)), offset)
            except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError):
                continue  # a damaged line: the picture is measured again
        self._file.open()

    def row(self, key: str) -> int | None:
        """The row of a key, if it was measured."""
        return self._rows.get(_number(key))

    def known(self, key: str, content: str, *, decoded: bool) -> tuple[int | None, frozenset[str]]:
        """The row of a picture that has not changed, and which of the measures it lacks.

        A picture that could not be opened lacks all: it is tried again.
        """
        row = self.row(key)
        if row is None or self._contents[row] != _number(content) or self._failed[row]:
            return None, frozenset(self._ids)
        missing = frozenset(name for name, values in self._values.items() if values[row] == _UNKNOWN)
        if decoded and self._states[row] == _NOT_HASHED:
            return None, frozenset(self._ids)
        return row, missing

    def append(self, measures: PictureMeasures) -> int:
        """Keep what was measured; returns the row. Raises SinkError."""
        return self._add(measures, self._file.append(encode_json(self._to_json(measures))))

    def read(self, row: int) -> PictureMeasures:
        """The last line about a row."""
        return _from_json(self._file.line(self._offsets[row]))

    def _to_json(self, measures: PictureMeasures) -> JSON:
        data: JSON = {"key": stored_key(measures.key), "content": stored_key(measures.content)}
        if measures.error is not None:
            return data | {"error": list(measures.error)}
        data["digest"] = measures.digest
        data["values"] = dict(measures.values)
        if measures.is_hashed:
            hashes = measures.hashes
            data["hashes"] = [HASHES, None if hashes is None else pybase64.b64encode(hashes).decode()]
            if measures.page is not None:
                data["page"] = pybase64.b64encode(zlib.compress(measures.page)).decode()
        return data

    def _add(self, measures: PictureMeasures, offset: int) -> int:
        number, content = _number(measures.key), _number(measures.content)
        row = self._rows.get(number)
        if row is None:
            row = self._rows[number] = len(self)
            self._contents.append(0)
            self._offsets.append(0)
            self._digests.extend((0, 0))
            for values in self._values.values():
                values.append(_UNKNOWN)
            self._hashes += _NO_HASHES
            self._states.append(_NOT_HASHED)
            self._failed.append(0)
        elif self._contents[row] != content:
            for values in self._values.values():
                values[row] = _UNKNOWN
            self._states[row] = _NOT_HASHED
        self._contents[row], self._offsets[row] = content, offset
        self._failed[row] = measures.error is not None
        if measures.error is None:
            digest = bytes.fromhex(measures.digest)
            self._digests[2 * row], self._digests[2 * row + 1] = memoryview(digest).cast("Q").tolist()
            for name, id_ in self._ids.items():
                if id_ in measures.values:
                    value = measures.values[id_]
                    self._values[name][row] = math.nan if value is None else value
            if measures.is_hashed:
                self._hashes[row * BYTES : (row + 1) * BYTES] = measures.hashes or _NO_HASHES
                self._states[row] = _PLAIN if measures.hashes is None else _HASHED
                self._pages.pop(row, None)
                if measures.page is not None:
                    self._pages[row] = measures.page
        return row

    def failed(self, row: int) -> bool:
        """Whether the picture cannot be opened."""
        return bool(self._failed[row])

    def measured(self, rows: np.ndarray[Any, Any]) -> Measured:
        """The numbers of some rows."""
        values = {
            name: np.frombuffer(column, dtype=np.float64)[rows] for name, column in self._values.items()
        }
        for column in values.values():
            column[np.isneginf(column)] = np.nan
        return Measured(
            values=values,
            digests=np.frombuffer(self._digests, dtype=np.uint64).reshape(-1, 2)[rows],
            hashes=np.frombuffer(self._hashes, dtype=np.uint8).reshape(-1, BYTES)[rows],
            hashed=np.frombuffer(self._states, dtype=np.uint8)[rows] == _HASHED,
            pages={place: self._pages[row] for place, row in enumerate(rows.tolist()) if row in self._pages}
            if self._pages
            else {},
        )

    def close(self) -> None:
        self._file.close()


def measure_id(measure: Measure) -> str:
    """The name and version, by which values are kept."""
    return f"{measure.name}@{measure.version}"


def _number(text: str) -> int:
    """64 bits of a hash, the same in every process."""
    digest = hashlib.blake2b(stored_key(text).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)


def _from_json(data: JSON) -> PictureMeasures:
    """The inverse of a line; raises KeyError, TypeError or ValueError for another one."""
    key, content = stored_key(checked(data["key"], str)), checked(data["content"], str)
    if "error" in data:
        kind, message = data["error"]
        return PictureMeasures(key=key, content=content, error=(checked(kind, str), checked(message, str)))
    version, hashes = data.get("hashes", (None, None))
    page = data.get("page")
    return PictureMeasures(
        key=key,
        content=content,
        digest=checked(data["digest"], str),
        values={name: None if value is None else float(value) for name, value in data["values"].items()},
        hashes=None if hashes is None else pybase64.b64decode(hashes, validate=True),
        page=None if page is None else _page(page),
        is_hashed=version == HASHES,
    )


def _page(text: str) -> bytes:
    try:
        page = zlib.decompress(pybase64.b64decode(text, validate=True))
    except zlib.error as error:
        raise ValueError from error
    if len(page) != PAGE_BYTES:
        raise ValueError
    return page
