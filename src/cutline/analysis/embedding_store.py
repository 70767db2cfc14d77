"""Vectors on disk by the content that they embed: computed once, whatever dataset the content is in."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from filelock import FileLock

from cutline.errors import ConfigError
from cutline.files import write_atomically, write_errors

KEY: Final = 16  # bytes
_FORMAT: Final = 1
_BLOCK: Final = 16_384  # rows that are checked at a time
_TOLERANCE: Final = 0.2  # of a squared length

Places: TypeAlias = npt.NDArray[np.int32]
"""Rows of the store's matrix; -1 for none."""


class EmbeddingStore:
    """The vectors of one model, by 16-byte keys, in ``folder/<name>-<fingerprint>``.

    ``vectors.f16`` is a matrix of float16 by rows, ``keys.bin`` has the key of each. Both only grow; a row is
    there once both hold it, so that a crash loses at most what was added last. Several processes may add.
    Thread-safe.

    Raises:
        ConfigError: the folder holds something else, or is damaged; names the cure.
        SinkError: it cannot be written.
    """

    def __init__(self, folder: Path, name: str, fingerprint: str, dimensions: int) -> None:
        self.dimensions: Final = dimensions
        self.folder: Final = folder / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)[:80]}-{fingerprint}"
        self._about = {
            "format": _FORMAT,
            "model": name,
            "fingerprint": fingerprint,
            "dimensions": dimensions,
        }
        self._guard = threading.RLock()
        self._keys = np.empty((0, KEY), np.uint8)
        with write_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Held by one who writes; readers need none, as rows never change.
            self._lock = FileLock(self.folder / "lock")
            self._open()

    @property
    def rows(self) -> int:
        """How many vectors there are, also those that other processes have added."""
        return self._count()

    @property
    def matrix(self) -> npt.NDArray[np.float16]:
        """All vectors, of shape ``(rows, dimensions)``, mapped from the file."""
        rows = self._count()
        if not rows:
            return np.empty((0, self.dimensions), np.float16)
        with write_errors(self._vectors_file):
            return np.memmap(self._vectors_file, np.float16, "r", shape=(rows, self.dimensions))

    def places(self, keys: Sequence[bytes] | npt.NDArray[np.uint8]) -> Places:
        """The row of each key, -1 where there is none. Keys are bytes, or rows of shape ``(n, 16)``."""
        wanted = _key_array(keys)
        with self._guard:
            self._read_keys()
            return _places(wanted, self._keys)

    def known(self) -> KeySet:
        """The keys that are there now, to look up one at a time."""
        with self._guard:
            self._read_keys()
            return KeySet(self._keys)

    def add(self, keys: Sequence[bytes] | npt.NDArray[np.uint8], vectors: npt.NDArray[np.float32]) -> None:
        """Append vectors of unit length; those of keys that are there already are dropped."""
        new = _key_array(keys)
        if vectors.shape != (len(new), self.dimensions):
            raise ValueError(f"{len(new)} keys need vectors of shape ({len(new)}, {self.dimensions})")
        with self._guard, write_errors(self.folder), self._lock:
            rows = self._count()
            self._read_keys()
            _, first = np.unique(new, axis=0, return_index=True)
            chosen = np.sort(first)
            chosen = chosen[_places(new[chosen], self._keys) < 0]
            # A crash left less than a row, or rows of one file only.
            _append(self._vectors_file, rows * self._row_size, vectors[chosen].astype(np.float16).tobytes())
            _append(self._keys_file, rows * KEY, new[chosen].tobytes())
            self._keys = np.concatenate([self._keys, new[chosen]])

    def check(self, places: Places) -> None:
        """ConfigError: one of these rows cannot be a vector, as its length is not 1."""
        matrix, rows = self.matrix, np.sort(places[places >= 0])
        for start in range(0, len(rows), _BLOCK):
            block = matrix[rows[start : start + _BLOCK]].astype(np.float32)
            if not (np.abs(np.einsum("ij,ij->i", block, block) - 1) < _TOLERANCE).all():
                raise self.damaged("as a vector is not of unit length")

    def damaged(self, reason: str) -> ConfigError:
        """The error for vectors that cannot be ones of this model."""
        return ConfigError(
            f"the embeddings in {self.folder} are damaged, {reason}: delete that folder, "
            "and they are computed again"
        )

    @property
    def _row_size(self) -> int:
        return 2 * self.dimensions

    @property
    def _vectors_file(self) -> Path:
        return self.folder / "vectors.f16"

    @property
    def _keys_file(self) -> Path:
        return self.folder / "keys.bin"

    def _open(self) -> None:
        file = self.folder / "about.json"
        with self._lock:
            if not file.exists() and not self._vectors_file.exists() and not self._keys_file.exists():
                write_atomically(file, json.dumps(self._about, indent=1).encode())
                return
            try:
                about = json.loads(file.read_bytes())
            except (OSError, ValueError):
                raise self.damaged("as about.json cannot be read") from None
        if about != self._about:
            raise self.damaged("or those of another model or version")
        if self._vectors_file.is_dir() or self._keys_file.is_dir():
            raise self.damaged("as there is a folder in the place of a file")

    def _count(self) -> int:
        sizes = (_size(self._vectors_file) // self._row_size, _size(self._keys_file) // KEY)
        return min(sizes)

    def _read_keys(self) -> None:
        """Take over what was added since, by another process or before a crash."""
        rows, known = self._count(), len(self._keys)
        if rows < known:  # deleted, or cut by another program
            self._keys, known = self._keys[:0], 0
        if rows > known:
            with write_errors(self._keys_file), self._keys_file.open("rb") as file:
                file.seek(known * KEY)
                data = file.read((rows - known) * KEY)
            read = np.frombuffer(data, np.uint8)[: len(data) // KEY * KEY].reshape(-1, KEY)
            self._keys = np.concatenate([self._keys, read])


class KeySet:
    """Keys in 8 bytes each, the first half of their hash, which is as good as the whole below 10^8 keys."""

    def __init__(self, keys: npt.NDArray[np.uint8]) -> None:
        halves = np.ascontiguousarray(keys[:, :8]).view(np.uint64).ravel()
        self._halves = np.sort(halves)
        self._added: set[bytes] = set()

    def include(self, keys: Iterable[bytes]) -> None:
        self._added.update(keys)

    def lacks(self, key: bytes) -> bool:
        if key in self._added:
            return False
        half = np.frombuffer(key, np.uint64, 1)[0]
        at = int(np.searchsorted(self._halves, half))
        return at == len(self._halves) or bool(self._halves[at] != half)


def _key_array(keys: Sequence[bytes] | npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    if isinstance(keys, np.ndarray):
        return keys.reshape(-1, KEY)
    return np.frombuffer(b"".join(keys), np.uint8).reshape(-1, KEY)


def _places(wanted: npt.NDArray[np.uint8], known: npt.NDArray[np.uint8]) -> Places:
    found = pc.index_in(_binary(wanted), value_set=_binary(known))
    places: Places = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32)
    return places


def _binary(keys: npt.NDArray[np.uint8]) -> pa.Array:
    data = np.ascontiguousarray(keys)
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(KEY), len(keys), [None, pa.py_buffer(data)])


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _append(file: Path, end: int, data: bytes) -> None:
    """Write behind ``end``, and flush to disk: the keys come after the vectors are there."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        opened.truncate(end)
        opened.seek(end)
        opened.write(data)
        opened.flush()
        os.fsync(descriptor)
