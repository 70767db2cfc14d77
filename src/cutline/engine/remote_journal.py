"""A journal on remote storage: in parts, of which only the last one grows, each with a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from cutline.engine.journal_checksums import JournalChecksums
from cutline.storage import storage_errors, write_object

JOURNAL = "journal.jsonl"
PART_BYTES: Final = 256 << 10
_PART = re.compile(r"\d{8}-\d{8}\.jsonl")
_AT_ONCE = 64

_log = logging.getLogger(__name__)


def digest_of_parts(parts: dict[str, int]) -> str:
    """One text for their names and sizes."""
    return hashlib.blake2b(repr(sorted(parts.items())).encode(), digest_size=16).hexdigest()


def append_missing(own: bytes, file: Path) -> None:
    """Append those whole lines of ``own`` that a file does not have.

    A run that is killed while it copies may have copied more than it noted.
    """
    lines = dict.fromkeys(own[: own.rfind(b"\n") + 1].splitlines(keepends=True))
    if not lines:
        return
    with file.open("r+b") as content:
        for line in content:
            lines.pop(line, None)
        content.writelines(lines)


class RemoteJournal:
    """The journal in ``file`` on this machine, and its parts below ``root`` on the storage, in ``name``.

    ``parts`` are those that this machine knows, with their sizes; ``sent`` is how many bytes of the file
    they hold. ``on_part`` is called after each part that is written.
    """

    def __init__(
        self,
        storage: Any,
        root: str,
        url: str,
        *,
        file: Path,
        on_part: Callable[[], object],
        name: str = "journal",
    ) -> None:
        self._storage, self._root, self._url, self._name = storage, root, url, name
        self._file, self._on_part = file, on_part
        self._sums = JournalChecksums(storage, root, url, name)
        self.parts: dict[str, int] = {}
        self.sent = 0
        self._etags: dict[str, str] = {}
        self._part = ""  # the one that grows
        self._part_start = 0
        self._generation = 0  # of the parts: a run that lost its lock writes before those of the next

    @property
    def size(self) -> int:
        """Bytes on this machine."""
        return self._file.stat().st_size if self._file.exists() else 0

    def load(self) -> dict[str, int]:
        """The parts on the storage with their sizes; raises SinkError."""
        listing = self._listing()
        if listing:
            self._sums.load()
        self._generation = 1 + max((int(name[:8]) for name in listing), default=0)
        return listing

    def follow(self, parts: dict[str, int], sent: int) -> None:
        """Go on after these parts; new lines begin one of their own."""
        self.parts, self.sent = dict(parts), sent
        self.end_part()

    def end_part(self) -> None:
        """Begin a part of its own with the next line."""
        self._part = ""

    def send(self) -> None:
        """Copy the new lines: rewrite the last part with them, or begin one; raises SinkError."""
        if self.size <= self.sent:
            return
        while True:
            if not self._part or self.sent - self._part_start >= PART_BYTES:
                self._part = f"{self._generation:08}-{len(self.parts) + 1:08}.jsonl"
                self._part_start = self.sent
            with self._file.open("rb") as file:
                file.seek(self._part_start)
                data = file.read(4 * PART_BYTES)
                if b"\n" not in data:
                    data += file.readline()
            data = data[: data.rfind(b"\n") + 1]
            if self._part_start + len(data) <= self.sent:
                return
            self._write(self._part, data)
            self._sums.put(self._part, data)
            self.parts[self._part] = len(data)
            self.sent = self._part_start + len(data)
            self._on_part()

    def fetch(self, listing: dict[str, int], to: Path, *, leave_out_damaged: bool = False) -> None:
        """Copy all parts to a file; SinkError: one is damaged, unless those are left out."""
        names = [f"{self._root}/{self._name}/{name}" for name in sorted(listing)] or [
            f"{self._root}/{JOURNAL}"
        ]
        with storage_errors(self._url), to.open("wb") as file:
            for first in range(0, len(names), _AT_ONCE):
                parts = self._storage.cat(names[first : first + _AT_ONCE])
                contents = parts if isinstance(parts, dict) else {names[first]: parts}
                for name in names[first : first + _AT_ONCE]:
                    part = name.rpartition("/")[2]
                    if leave_out_damaged and not self._sums.is_whole(part, contents[name]):
                        continue
                    self._sums.check(part, contents[name])
                    file.write(contents[name])

    def mended(self, listing: dict[str, int], sizes: dict[str, int]) -> dict[str, int]:
        """The listing, once parts that are damaged or gone are written again from this machine's journal."""
        start = 0
        for name, size in sorted(sizes.items()):
            if listing.get(name, 0) < size or self._etags.get(name):
                with self._file.open("rb") as file:
                    file.seek(start)
                    data = file.read(size)
                if listing.get(name, 0) >= size and self._is_whole(name, data):
                    start += size
                    continue
                self._write(name, data)
                listing = {**listing, name: size}
                _log.warning("%s/%s/%s was damaged, and is written again", self._url, self._name, name)
            start += size
        return listing

    def unsent(self, sent: int) -> bytes:
        """Whole lines of outcomes that this machine had not copied when it ended."""
        with self._file.open("rb") as file:
            file.seek(sent)
            rest = file.read()
        rest = rest[: rest.rfind(b"\n") + 1]
        return rest if sent and b'{"run":' not in rest else b""

    def remove_old(self) -> None:
        """Remove the one object in which earlier versions kept the journal."""
        with contextlib.suppress(Exception):  # it is read only where there are no parts
            self._storage.rm_file(f"{self._root}/{JOURNAL}")

    def _write(self, name: str, data: bytes) -> None:
        with storage_errors(self._url):
            write_object(self._storage, f"{self._root}/{self._name}/{name}", data)

    def _is_whole(self, name: str, data: bytes) -> bool:
        """Whether a part is that of this machine: by its ETag, where that is a digest, or its content."""
        if self._etags[name] == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return True
        with storage_errors(self._url):
            there: bytes = self._storage.cat_file(f"{self._root}/{self._name}/{name}")
        return there.startswith(data)

    def _listing(self) -> dict[str, int]:
        with storage_errors(self._url):
            self._storage.invalidate_cache()
            try:
                infos = self._storage.ls(f"{self._root}/{self._name}", detail=True)
            except FileNotFoundError:
                return {}
        self._etags = {
            info["name"].rpartition("/")[2]: str(info.get("ETag") or "").strip('"') for info in infos
        }
        sizes = {info["name"].rpartition("/")[2]: int(info.get("size") or 0) for info in infos}
        return {name: size for name, size in sorted(sizes.items()) if _PART.fullmatch(name)}
