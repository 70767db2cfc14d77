"""The lock of an output on remote storage: an object that its run renews, and that ends without it.

Every run writes an object of its own name, then lists them all: it holds the lock where no other is alive.
Of two runs that begin together each may see the other, and both try again, but never do both hold it. All
that this needs of a storage is that a listing shows what was written before, as on S3, GCS and Azure. The
ages of the objects are those of the storage's own clock.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from cutline.errors import OutputLocked
from cutline.process_ids import is_gone, this_machine
from cutline.records import JSON
from cutline.serialization import decode_object
from cutline.storage import object_time, open_storage, storage_errors, write_object

DURATION = 60.0
"""Seconds after which a lease that was not renewed has ended."""
RENEWAL = 5.0
"""Seconds between renewals."""

_log = logging.getLogger(__name__)


class Lease:
    """The lock below a remote ``folder``; ``output`` is what it guards, for messages.

    ``machine`` identifies the machine: a dead process of the same one holds no lock. One thread at a time
    calls it.
    """

    def __init__(
        self, folder: str, output: str, *, duration: float = DURATION, machine: str | None = None
    ) -> None:
        self._machine = this_machine() if machine is None else machine
        self._folder, self._output, self._duration = folder, output, duration
        self._storage, self._root = open_storage(folder)
        self._name = ""
        self._owner: JSON = {}
        self.generation = 0

    def acquire(self) -> None:
        """Get the lock, at the latest when that of a dead run has ended.

        Raises:
            OutputLocked: a run that is alive holds it.
            SinkError: the storage refuses.
        """
        seen: dict[str, Any] = {}
        deadline = time.monotonic() + 2 * self._duration
        while True:
            alive = self._try()
            if not alive:
                return
            renewed = [name for name, time_ in alive.items() if seen.get(name, time_) != time_]
            if renewed or time.monotonic() > deadline:
                raise OutputLocked(self._message(renewed[0] if renewed else next(iter(alive))))
            if not seen:
                _log.warning("%s; waiting for a sign of life", self._message(next(iter(alive))))
            seen |= alive
            time.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - so that two that begin together differ

    def _try(self) -> Mapping[str, Any]:
        """The others that are alive, with the times of their last renewal; empty where the lock was got."""
        self.generation = 1 + max((_generation(name) for name in self._listing()), default=0)
        self._name = f"{self.generation:08}-{uuid.uuid4().hex}.json"
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        self._owner = {"process": os.getpid(), "host": socket.gethostname(), "since": since}
        self._owner |= {"machine": self._machine}
        self._write()
        there = self._listing()
        own = there.pop(self._name, None)
        alive = {name: time_ for name, time_ in there.items() if not self._is_over(name, time_, own)}
        if alive:
            self._remove(self._name)
            return alive
        for name in there:
            self._remove(name)
        self._owner["held"] = True  # until then it is a question: see `renew`
        self._write()
        return {}

    def renew(self) -> None:
        """Keep the lock; OutputLocked: it was lost to another run, SinkError: the storage refuses."""
        there = self._listing()
        # A run that waits for this one writes objects too, for a moment each, and holds nothing by them.
        newer = (name for name in there if _generation(name) > self.generation)
        later = [name for name in newer if self._read(name).get("held")]
        if later or self._name not in there:
            owner = self._message(later[0]) if later else "the lock of this run is gone"
            raise OutputLocked(f"{owner}; this run stops: run the same command again to continue")
        self._write()

    def release(self) -> None:
        """Give the lock back; an error leaves it to its end."""
        if self._name:
            self._remove(self._name)
            self._name = ""

    def _is_over(self, name: str, renewed: Any, now: Any) -> bool:
        owner = self._read(name)
        if renewed is None or now is None:  # a storage without times: those of the machines must do
            renewed, now = owner.get("time", 0.0), time.time()
        age = now - renewed
        if (age if isinstance(age, int | float) else age.total_seconds()) > self._duration:
            return True
        same = bool(self._machine) and owner.get("machine") == self._machine
        return same and is_gone(int(owner["process"]))

    def _write(self) -> None:
        content = orjson.dumps(self._owner | {"time": time.time()})
        with storage_errors(self._folder):
            write_object(self._storage, f"{self._root}/{self._name}", content)

    def _read(self, name: str) -> JSON:
        try:
            return decode_object(self._storage.cat_file(f"{self._root}/{name}")) or {}
        except Exception:  # noqa: BLE001 - it may be gone; drivers share no base class
            return {}

    def _remove(self, name: str) -> None:
        with contextlib.suppress(Exception):  # it ends by itself
            self._storage.rm_file(f"{self._root}/{name}")

    def _listing(self) -> dict[str, Any]:
        """The leases that are there, with the times of their last renewal."""
        with storage_errors(self._folder):
            self._storage.invalidate_cache()
            try:
                infos = self._storage.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
        found = {info["name"].rpartition("/")[2]: object_time(info) for info in infos}
        return {name: time_ for name, time_ in found.items() if _generation(name)}

    def _message(self, name: str) -> str:
        owner = self._read(name)
        process, host, since = (owner.get(field, "?") for field in ("process", "host", "since"))
        return f"another run is writing to {self._output} (process {process} on {host}, since {since})"


def _generation(name: str) -> int:
    number = name.partition("-")[0]
    return int(number) if len(number) == 8 and number.isdigit() else 0
