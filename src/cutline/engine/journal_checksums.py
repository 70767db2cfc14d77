"""Checksums of the parts of a remote journal, in an object beside them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson

from cutline.errors import SinkError
from cutline.serialization import decode_object
from cutline.storage import storage_errors

NAME: Final = "journal.sums.json"


class JournalChecksums:
    """A size and a digest for each part. A part may be longer: it is written first, then its checksum."""

    def __init__(self, storage: Any, root: str, url: str) -> None:
        self._storage, self._root, self._url = storage, root, url
        self._sums: dict[str, tuple[int, str]] = {}

    def load(self) -> None:
        with storage_errors(self._url):
            try:
                found = decode_object(self._storage.cat_file(f"{self._root}/{NAME}")) or {}
            except FileNotFoundError:
                found = {}
        self._sums = {
            name: (each[0], each[1])
            for name, each in found.items()
            if isinstance(each, list) and [type(one) for one in each] == [int, str]
        }

    def put(self, name: str, data: bytes) -> None:
        """Keep the checksum of a part that was written."""
        self._sums[name] = (len(data), _digest(data))
        with storage_errors(self._url):
            self._storage.pipe_file(f"{self._root}/{NAME}", orjson.dumps(self._sums))

    def check(self, name: str, data: bytes) -> None:
        """Raise SinkError for a part that is not as it was written."""
        size, digest = self._sums.get(name, (0, ""))
        if digest and (len(data) < size or _digest(data[:size]) != digest):
            raise SinkError(
                f"{self._url}/journal/{name} is damaged: run the command on the machine that wrote it, which "
                "mends it, or remove that object and add --existing overwrite, to caption its pictures again"
            )


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
