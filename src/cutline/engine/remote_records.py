"""Records of a run on remote storage: what its output is, and which requests its batches hold."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any, Final

from cutline.files import sync_file
from cutline.records import JSON
from cutline.storage import object_version, open_storage, storage_errors

BATCHES: Final = "batches.json"
OF_OUTPUT: Final = frozenset({"output.json", "shards.jsonl", "before.json"})
RECORDS: Final = (*sorted(OF_OUTPUT), BATCHES, "report.json", "totals.json")
_KEYS = "batches/*.keys.jsonl"  # which request of a batch is of which picture


class RemoteRecords:
    """The records in ``folder`` on this machine, and their copies below ``root`` on the storage.

    ``versions`` are those of the copies, as this machine last saw them. All methods raise SinkError.
    """

    def __init__(self, storage: Any, root: str, url: str, *, folder: Path) -> None:
        self._storage, self._root, self._url, self._folder = storage, root, url, folder
        self._copied: dict[str, tuple[int, int]] = {}
        self.versions: dict[str, str] = {}

    def find(self, *names: str) -> None:
        """Note which are there from an earlier run: to be replaced or removed."""
        self._copied |= {name: (0, 0) for name in names if self.size(name)}

    def note_versions(self, *names: str) -> None:
        self.versions |= {name: self._version(name) for name in names}

    def put_all(self, files: dict[str, Path]) -> None:
        """Copy all records, and ``files`` by their remote names."""
        self._put_keys()
        for name, path in {**{name: self._folder / name for name in RECORDS}, **files}.items():
            self._put(name, path)
        self._forget_keys()
        self.note_versions(*RECORDS)

    def put(self, name: str) -> None:
        """Copy one record; before that of batches what assigns their replies."""
        if name == BATCHES:
            self._put_keys()
        self._put(name, self._folder / name)
        self._forget_keys()
        if name == BATCHES:
            self.note_versions(BATCHES)

    def bring_all(self) -> None:
        """Replace those of this machine by all that are there."""
        with storage_errors(self._url):
            for name in RECORDS:
                if name in self._copied:
                    self._bring(name)
        self.bring_keys()

    def update(self, seen: JSON) -> set[str]:
        """Replace those whose version is not the one in ``seen``; returns the names of what changed."""
        changed = set()
        for name in RECORDS:
            now = self._version(name)
            if now and now != seen.get(name):
                path, part = self._folder / name, self._folder / f"{name}.part"
                with storage_errors(self._url):
                    self._storage.get_file(f"{self._root}/{name}", str(part))
                if path.exists() and filecmp.cmp(part, path, shallow=False):
                    part.unlink()
                    continue
                sync_file(part)
                part.replace(path)
                changed.add(name)
        return changed

    def _put_keys(self) -> None:
        for path in sorted(self._folder.glob(_KEYS)):
            self._put(path.relative_to(self._folder).as_posix(), path)

    def _forget_keys(self) -> None:
        for name in [name for name in self._copied if name.startswith("batches/")]:
            if not (self._folder / name).exists():
                self._put(name, self._folder / name)

    def _put(self, name: str, path: Path) -> None:
        """Copy a file that has changed; remove the copy of one that is gone."""
        try:
            status = path.stat()
        except FileNotFoundError:
            if self._copied.pop(name, None) is not None:
                with storage_errors(self._url):
                    self._storage.rm_file(f"{self._root}/{name}")
            return
        mark = (status.st_size, status.st_mtime_ns)
        if self._copied.get(name) != mark:
            with storage_errors(self._url):
                self._storage.put_file(str(path), f"{self._root}/{name}")
            self._copied[name] = mark

    def bring_keys(self) -> None:
        with storage_errors(self._url):
            try:
                infos = self._storage.ls(f"{self._root}/batches", detail=False)
            except FileNotFoundError:
                return
        for path in infos:
            name = f"batches/{path.rpartition('/')[2]}"
            self._copied[name] = (0, 0)
            if name.endswith(".keys.jsonl") and not (self._folder / name).exists():
                self._bring(name)

    def _bring(self, name: str) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True)
        with storage_errors(self._url):
            self._storage.get_file(f"{self._root}/{name}", str(path))

    def size(self, name: str) -> int:
        return int(self._info(name).get("size") or 0)

    def _version(self, name: str) -> str:
        return object_version(self._info(name))

    def _info(self, name: str) -> JSON:
        """What the storage says of an object; empty where there is none."""
        with storage_errors(self._url):
            try:
                self._storage.invalidate_cache()
                details: JSON = self._storage.info(f"{self._root}/{name}")
            except FileNotFoundError:
                return {}
        return details


def read_record(url: str, name: str) -> bytes | None:
    """A record of a remote state, without its lock; None where there is none. Raises SinkError."""
    storage, root = open_storage(url)
    with storage_errors(url):
        try:
            storage.invalidate_cache()
            data: bytes = storage.cat_file(f"{root}/{name}")
        except FileNotFoundError:
            return None
    return data
