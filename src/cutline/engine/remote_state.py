"""The state of a run on remote storage: the journal in parts, records of the output, and the lock.

A run works on a folder of this machine. What it needs to continue elsewhere is copied beside the output while
it runs: the journal and the measures at most a second late, records of the output before the output changes.
Where another machine was further, its state replaces the folder's.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import orjson

from cutline.engine.lease import DURATION, RENEWAL, Lease
from cutline.engine.remote_journal import JOURNAL, RemoteJournal, append_missing, digest_of_parts
from cutline.engine.remote_measures import MEASURES, RemoteMeasures
from cutline.engine.remote_records import BATCHES, OF_OUTPUT, RECORDS, RemoteRecords
from cutline.errors import CutlineError, OutputLocked, SinkError
from cutline.files import write_atomically
from cutline.records import JSON
from cutline.serialization import checked, decode_object
from cutline.storage import open_storage

INTERVAL: Final = 1.0
"""Seconds after which an outcome is on the storage at the latest, while the storage can be reached."""
PATIENCE: Final = DURATION - 2 * RENEWAL
"""Seconds that the storage may be out of reach; then another run may take over."""

_POSITION = "mark.json"  # how far this machine's copy of the output is
_MARK = "remote.json"  # which parts the folder has, and how much of its journal they hold
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
        storage, root = open_storage(url) if url else (None, "")
        self._journal = RemoteJournal(storage, root, self.url, file=folder / JOURNAL, on_part=self._save_mark)
        self._measures = RemoteMeasures(storage, root, self.url, folder=folder, on_part=self._save_mark)
        self._records = RemoteRecords(storage, root, self.url, folder=folder)
        self._leases = [Lease(f"{place}/lock", output) for place in locks]
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
            brought = bool(self.url) and self._fetch_all()
        except BaseException:
            for lease in held:
                lease.release()
            raise
        self._journal.end_part()
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
                self._renew()
                self._copy_all()
        finally:
            for lease in self._leases:
                lease.release()

    def record(self, name: str) -> None:
        """Copy one record now, before the output that it describes changes.

        Raises:
            OutputLocked: another run took over, as after this one was suspended.
            SinkError: the storage refuses.
        """
        self._renew()
        if not self.url:
            return
        with self._lock:
            self._journal.send()
            self._records.put(name)
            if name == BATCHES:
                self._save_mark()

    def _renew(self) -> None:
        with self._lock:
            for lease in self._leases:
                lease.renew()
        self._renewed = time.monotonic()

    def _copy_all(self) -> None:
        if not self.url:
            return
        with self._lock:
            self._journal.send()
            self._measures.send()
            self._records.put_all(self._files)
            self._save_mark()

    def _keep(self) -> None:
        """Copy and renew until the end; a storage out of reach for too long ends the run."""
        while not self._ended.wait(INTERVAL):
            try:
                if time.monotonic() - self._renewed >= RENEWAL:
                    self._renew()
                if self.url:
                    with self._lock:
                        self._journal.send()
                        self._measures.send()
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

    def _fetch_all(self) -> bool:
        """Bring the folder to what is on the storage, where that is further; whether it was."""
        mark = self._read_mark()
        brought = self._fetch(mark)
        self._measures.open(mark.get("measures", {}))
        self._save_mark()
        return brought

    def _fetch(self, mark: JSON) -> bool:
        """Bring the journal and the records."""
        listing = self._journal.load()
        old = self._records.size(JOURNAL)  # one object, as earlier versions kept it
        self._records.find(*RECORDS, *self._files)
        here, sent = self._journal.size, mark.get("sent", 0)
        if listing and here >= sent:
            listing = self._journal.mended(listing, mark.get("sizes", {}))
        if not listing and old <= here:
            self._journal.follow({}, 0)
        elif listing and mark.get("parts") == digest_of_parts(listing) and sent <= here:
            self._journal.follow(listing, sent)
            return self._update(mark.get("records", {}))
        else:
            self._replace(listing, sent, old)
            return True
        with self._lock:
            self._journal.send()
        if old:
            self._journal.remove_old()
        return False

    def _replace(self, listing: dict[str, int], sent: int, old: int) -> None:
        """Take over the state of another machine; outcomes that only this one has are kept."""
        journal, fetched = self._folder / JOURNAL, self._folder / _FETCHED
        own = self._journal.unsent(sent) if journal.exists() else b""
        self._journal.fetch(listing, fetched)
        for path in self._folder.iterdir():
            if path.name not in {"lock", "owner.json", _FETCHED, MEASURES}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        fetched.replace(journal)
        self._records.bring_all()
        self._journal.follow(listing, self._journal.size if listing else 0)
        append_missing(own, journal)
        with self._lock:
            self._journal.send()
            self._save_mark()
        if old and not listing:
            self._journal.remove_old()

    def _update(self, versions: JSON) -> bool:
        """Take over records that another machine changed while the journal stayed as it was."""
        changed = self._records.update(versions)
        if changed & OF_OUTPUT:  # what is there is another machine's, so it is written again
            (self._folder / _POSITION).unlink(missing_ok=True)
        self._records.bring_keys()
        self._records.note_versions(*RECORDS)
        self._save_mark()
        return bool(changed & {*OF_OUTPUT, BATCHES})

    def _read_mark(self) -> JSON:
        """Empty without a whole mark of this storage: then everything is fetched once more."""
        try:
            mark = decode_object((self._folder / _MARK).read_bytes()) or {}
            measured = checked(mark.get("measures", {}), dict)
            sizes = checked(mark.get("sizes", {}), dict)
            checked(mark.get("records", {}), dict)
            counts = (mark.get("sent", 0), measured.get("sent", 0), *sizes.values())
            if mark.get("url") != self.url or min(checked(count, int) for count in counts) < 0:
                return {}
        except (OSError, TypeError):
            return {}
        return mark

    def _save_mark(self) -> None:
        mark: JSON = {
            "url": self.url,
            "sent": self._journal.sent,
            "parts": digest_of_parts(self._journal.parts),
        }
        mark |= {"records": self._records.versions, "sizes": self._journal.parts}
        mark["measures"] = self._measures.mark
        with contextlib.suppress(OSError):  # without it the journal is fetched once more
            write_atomically(self._folder / _MARK, orjson.dumps(mark), sync=False)
