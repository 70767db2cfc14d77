"""Checksums of the parts of a file that is kept remotely, in an object beside them."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from cutline.errors import SinkError
from cutline.serialization import decode_object
from cutline.storage import storage_errors


class JournalChecksums:
    """A size and a digest for each part. A part may be longer: it is written first, then its checksum.

    ``name`` is that of the folder of the parts, below ``root``.
    """

    def __init__(self, storage: Any, root: str, url: str, name: str) -> None:
        self._storage, self._root, self._url, self._name = storage, root, url, name
        self._object = f"{root}/{name}.sums.json"
        self._sums: dict[str, tuple[int, str]] = {}

    def load(self) -> None:
        with storage_errors(self._url):
            try:
                found = decode_object(self._storage.cat_file(self._object)) or {}
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
            self._storage.pipe_file(self._object, orjson.dumps(self._sums))

    def check(self, name: str, data: bytes) -> None:
        """Raise SinkError for a part that is not as it was written."""
        if not self.is_whole(name, data):
            raise SinkError(
                f"{self._url}/{self._name}/{name} is damaged: run the command on the machine that wrote it, "
                "which repairs it, or remove that object and add --existing overwrite to caption its "
                "pictures again"
            )

    def is_whole(self, name: str, data: bytes) -> bool:
        """Whether a part is as it was written, as far as that is known."""
        size, digest = self._sums.get(name, (0, ""))
        return not digest or (len(data) >= size and _digest(data[:size]) == digest)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
