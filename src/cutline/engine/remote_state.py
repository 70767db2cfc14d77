"""The state of a run on remote storage: the journal in parts, records of the output, and the lock.

A run works on a folder of this machine. What it needs to go on elsewhere is copied beside the output while
it runs: the journal at most a second late, records of the output before the output changes. Where another
machine was further, its state replaces the folder's.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.engine.journal_checksums import JournalChecksums
from cutline.engine.lease import DURATION, RENEWAL, Lease
from cutline.errors import CutlineError, OutputLocked, SinkError
from cutline.files import write_atomically
from cutline.records import JSON
from cutline.serialization import decode_object
from cutline.storage import object_version, open_storage, storage_errors, write_object

INTERVAL: Final = 1.0
"""Seconds after which an outcome is on the storage at the latest, while the storage can be reached."""
PART_BYTES: Final = 256 << 10
PATIENCE: Final = DURATION - 2 * RENEWAL
"""Seconds that the storage may be out of reach; then another run may take over."""

JOURNAL = "journal.jsonl"
BATCHES = "batches.json"
RECORDS = ("output.json", "shards.jsonl", "before.json", BATCHES, "report.json", "totals.json")
_OF_OUTPUT = frozenset(RECORDS[:3])
_KEYS = "batches/*.keys.jsonl"  # which request of a batch is of which picture
_POSITION = "mark.json"  # how far this machine's copy of the output is
_MARK = "remote.json"  # which parts the folder has, and how much of its journal they hold
_PART = re.compile(r"\d{8}-\d{8}\.jsonl")
_AT_ONCE = 64
_FETCHED = "journal.fetched"

_log = logging.getLogger(__name__)


class RemoteState:
    """Keeps a state ``folder`` of this machine and its copy at ``url``, if there is one; holds the locks.

    ``locks`` are the remote folders that are locked, ``files`` further files to copy at the end, by their
    remote names.
    """

    def __init__(
        self, url: str | None, folder: Path, *, output: str, locks: Sequence[str], files: dict[str, Path]
    ) -> None:
        self.url = url or ""
        self._folder = folder
        self._files = files
        self._storage: Any = None
        self._root = ""
        if url:
            self._storage, self._root = open_storage(url)
        self._sums = JournalChecksums(self._storage, self._root, self.url)
        self._leases = [Lease(f"{place}/lock", output) for place in locks]
        self._journal = folder / JOURNAL
        self._parts: dict[str, int] = {}
        self._etags: dict[str, str] = {}
        self._sent = 0
        self._part = ""  # the one that grows
        self._part_start = 0
        self._generation = 0  # of the parts: a run that lost its lock writes before those of the next
        self._copied: dict[str, tuple[int, int]] = {}
        self._versions: dict[str, str] = {}  # of the records on the storage, as this machine last saw them
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._reached = self._renewed = 0.0
        self.failure: CutlineError | None = None
        self.on_failure: Callable[[CutlineError], object] = lambda _: None

    def open(self) -> bool:
        """Lock the output and fetch what another machine left; returns whether there was something.

        Raises:
            OutputLocked: another run holds the lock.
            SinkError: the storage refuses.
        """
        held = []
        try:
            for lease in self._leases:
                lease.acquire()
                held.append(lease)
            brought = bool(self.url) and self._fetch()
        except BaseException:
            for lease in held:
                lease.release()
            raise
        self._part = ""
        self._reached = self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._keep, name="cutline-state", daemon=True)
        self._thread.start()
        return brought

    def close(self) -> None:
        """Copy the rest and give the lock back; raises SinkError where the storage refuses."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        try:
            if not isinstance(self.failure, OutputLocked):  # then the state there is another run's
                self._copy_all()
        finally:
            for lease in self._leases:
                lease.release()

    def record(self, name: str) -> None:
        """Copy one record now, before the output that it describes changes; raises SinkError."""
        if not self.url:
            return
        with self._lock:
            self._send_journal()
            if name == BATCHES:
                self._put_keys()
            self._put(name, self._folder / name)
            self._forget_keys()
            if name == BATCHES:
                self._note_versions(BATCHES)

    def _put_keys(self) -> None:
        """Copy what assigns the replies of batches, before the record that names them."""
        for path in sorted(self._folder.glob(_KEYS)):
            self._put(path.relative_to(self._folder).as_posix(), path)

    def _forget_keys(self) -> None:
        for name in [name for name in self._copied if name.startswith("batches/")]:
            if not (self._folder / name).exists():
                self._put(name, self._folder / name)

    def _note_versions(self, *names: str) -> None:
        self._versions |= {name: self._version(name) for name in names}
        self._save_mark()

    def _copy_all(self) -> None:
        if not self.url:
            return
        with self._lock:
            self._send_journal()
            self._put_keys()
            for name, path in {**{name: self._folder / name for name in RECORDS}, **self._files}.items():
                self._put(name, path)
            self._forget_keys()
            self._note_versions(*RECORDS)

    def _put(self, name: str, path: Path) -> None:
        """Copy a file that has changed; remove the copy of one that is gone."""
        try:
            status = path.stat()
        except FileNotFoundError:
            if self._copied.pop(name, None) is not None:
                with storage_errors(self.url):
                    self._storage.rm_file(f"{self._root}/{name}")
            return
        mark = (status.st_size, status.st_mtime_ns)
        if self._copied.get(name) != mark:
            with storage_errors(self.url):
                self._storage.put_file(str(path), f"{self._root}/{name}")
            self._copied[name] = mark

    def _send_journal(self) -> None:
        """Copy the journal's new lines: rewrite the last part with them, or begin one."""
        if not self.url or not self._journal.exists() or self._journal.stat().st_size <= self._sent:
            return
        while True:
            if not self._part or self._sent - self._part_start >= PART_BYTES:
                self._part = f"{self._generation:08}-{len(self._parts) + 1:08}.jsonl"
                self._part_start = self._sent
            with self._journal.open("rb") as file:
                file.seek(self._part_start)
                data = file.read(4 * PART_BYTES)
                if b"\n" not in data:
                    data += file.readline()
            data = data[: data.rfind(b"\n") + 1]
            if self._part_start + len(data) <= self._sent:
                return
            with storage_errors(self.url):
                write_object(self._storage, f"{self._root}/journal/{self._part}", data)
            self._sums.put(self._part, data)
            self._parts[self._part] = len(data)
            self._sent = self._part_start + len(data)
            self._save_mark()

    def _keep(self) -> None:
        """Copy and renew until the end; a storage out of reach for too long ends the run."""
        while not self._ended.wait(INTERVAL):
            try:
                now = time.monotonic()
                if now - self._renewed >= RENEWAL:
                    for lease in self._leases:
                        lease.renew()
                    self._renewed = now
                with self._lock:
                    self._send_journal()
                self._reached = time.monotonic()
            except OutputLocked as error:
                self._fail(error)
                return
            except (CutlineError, OSError) as error:
                _log.debug("state not copied: %s", error)
                if time.monotonic() - self._reached > PATIENCE:
                    self._fail(error if isinstance(error, CutlineError) else SinkError(str(error)))
                    return

    def _fail(self, error: CutlineError) -> None:
        self.failure = error
        self.on_failure(error)

    def _fetch(self) -> bool:
        """Bring the folder to what is on the storage, where that is further."""
        listing = self._listing("journal")
        self._sums.load()
        self._generation = 1 + max((int(name[:8]) for name in listing), default=0)
        old = self._size(JOURNAL)  # one object, as earlier versions kept it
        for name in (*RECORDS, *self._files):
            if self._size(name):
                self._copied[name] = (0, 0)  # an earlier run's: to be replaced or removed
        mark = self._read_mark()
        here = self._journal.stat().st_size if self._journal.exists() else 0
        if listing and here >= int(mark.get("sent", 0)):
            listing = self._mended(listing, mark.get("sizes"))
        if not listing and old <= here:
            self._sent, self._parts = 0, {}
        elif listing and mark.get("parts") == _digest(listing) and int(mark.get("sent", 0)) <= here:
            self._sent, self._parts = int(mark["sent"]), listing
            return self._update(mark.get("records"))
        else:
            self._replace(listing, int(mark.get("sent", 0)), old)
            return True
        with self._lock:
            self._send_journal()
        self._remove_old(old)
        return False

    def _replace(self, listing: dict[str, int], sent: int, old: int) -> None:
        """Take over the state of another machine; outcomes that only this one has are kept."""
        own = self._unsent(sent) if self._journal.exists() else b""
        fetched = self._folder / _FETCHED
        self._fetch_journal(listing, fetched)
        for path in self._folder.iterdir():
            if path.name not in {"lock", "owner.json", _FETCHED}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        fetched.replace(self._journal)
        with storage_errors(self.url):
            for name in RECORDS:
                if name in self._copied:
                    self._bring(name)
        self._bring_keys()
        self._sent = self._journal.stat().st_size if listing else 0
        self._parts = dict(listing)
        if own:
            with self._journal.open("ab") as file:
                file.write(own)
        with self._lock:
            self._send_journal()
            self._save_mark()
        self._remove_old(0 if listing else old)

    def _fetch_journal(self, listing: dict[str, int], fetched: Path) -> None:
        """Copy all parts to a file; SinkError: one is damaged, and what is here is left as it is."""
        names = [f"{self._root}/journal/{name}" for name in sorted(listing)] or [f"{self._root}/{JOURNAL}"]
        with storage_errors(self.url), fetched.open("wb") as file:
            for first in range(0, len(names), _AT_ONCE):
                parts = self._storage.cat(names[first : first + _AT_ONCE])
                contents = parts if isinstance(parts, dict) else {names[first]: parts}
                for name in names[first : first + _AT_ONCE]:
                    self._sums.check(name.rpartition("/")[2], contents[name])
                    file.write(contents[name])

    def _mended(self, listing: dict[str, int], sizes: Any) -> dict[str, int]:
        """The listing, once parts that are damaged or gone are written again from this machine's journal."""
        start = 0
        for name, size in sorted(sizes.items()) if isinstance(sizes, dict) else ():
            if listing.get(name, 0) < size or self._etags.get(name):
                with self._journal.open("rb") as file:
                    file.seek(start)
                    data = file.read(size)
                if listing.get(name, 0) >= size and self._is_whole(name, data):
                    start += size
                    continue
                with storage_errors(self.url):
                    write_object(self._storage, f"{self._root}/journal/{name}", data)
                listing = {**listing, name: size}
                _log.warning("%s/journal/%s was damaged, and is written again", self.url, name)
            start += size
        return listing

    def _is_whole(self, name: str, data: bytes) -> bool:
        """Whether a part is that of this machine: by its ETag, where that is a digest, or its content."""
        if self._etags[name] == hashlib.md5(data, usedforsecurity=False).hexdigest():
            return True
        with storage_errors(self.url):
            there: bytes = self._storage.cat_file(f"{self._root}/journal/{name}")
        return there.startswith(data)

    def _update(self, versions: Any) -> bool:
        """Take over records that another machine changed while the journal stayed as it was."""
        seen = versions if isinstance(versions, dict) else {}
        changed = set()
        for name in RECORDS:
            now = self._version(name)
            if now and now != seen.get(name):
                with storage_errors(self.url):
                    data = self._storage.cat_file(f"{self._root}/{name}")
                path = self._folder / name
                if not path.exists() or path.read_bytes() != data:
                    write_atomically(path, data)
                    changed.add(name)
        if changed & _OF_OUTPUT:  # what is there is another machine's, so it is written anew
            (self._folder / _POSITION).unlink(missing_ok=True)
        self._bring_keys()
        self._note_versions(*RECORDS)
        return bool(changed & {*_OF_OUTPUT, BATCHES})

    def _bring_keys(self) -> None:
        with storage_errors(self.url):
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
        with storage_errors(self.url):
            path.write_bytes(self._storage.cat_file(f"{self._root}/{name}"))

    def _unsent(self, sent: int) -> bytes:
        """Whole lines of outcomes that this machine had not copied when it ended."""
        with self._journal.open("rb") as file:
            file.seek(sent)
            rest = file.read()
        rest = rest[: rest.rfind(b"\n") + 1]
        return rest if sent and b'{"run":' not in rest else b""

    def _remove_old(self, old: int) -> None:
        if old:
            with contextlib.suppress(Exception):  # it is read only where there are no parts
                self._storage.rm_file(f"{self._root}/{JOURNAL}")

    def _read_mark(self) -> JSON:
        try:
            mark = decode_object((self._folder / _MARK).read_bytes()) or {}
        except OSError:
            return {}
        return mark if mark.get("url") == self.url else {}

    def _save_mark(self) -> None:
        mark: JSON = {"url": self.url, "sent": self._sent, "parts": _digest(self._parts)}
        mark |= {"records": self._versions, "sizes": self._parts}
        with contextlib.suppress(OSError):  # without it the journal is fetched once more
            write_atomically(self._folder / _MARK, orjson.dumps(mark), sync=False)

    def _listing(self, folder: str) -> dict[str, int]:
        with storage_errors(self.url):
            self._storage.invalidate_cache()
            try:
                infos = self._storage.ls(f"{self._root}/{folder}", detail=True)
            except FileNotFoundError:
                return {}
        self._etags = {
            info["name"].rpartition("/")[2]: str(info.get("ETag") or "").strip('"') for info in infos
        }
        sizes = {info["name"].rpartition("/")[2]: int(info.get("size") or 0) for info in infos}
        return {name: size for name, size in sorted(sizes.items()) if _PART.fullmatch(name)}

    def _size(self, name: str) -> int:
        return int(self._info(name).get("size") or 0)

    def _version(self, name: str) -> str:
        return object_version(self._info(name))

    def _info(self, name: str) -> JSON:
        """What the storage says of an object; empty where there is none."""
        with storage_errors(self.url):
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


def _digest(parts: dict[str, int]) -> str:
    return hashlib.blake2b(repr(sorted(parts.items())).encode(), digest_size=16).hexdigest()
