"""A job's state beside its remote output, so that another container can continue."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from cutline.engine.run import REPORT
from cutline.engine.state import failures_file, passed_over, state_folder
from cutline.errors import CutlineError
from cutline.job import Job
from cutline.storage import is_remote, open_storage, storage_errors, try_writing

MIN_INTERVAL: Final = 60.0  # seconds between copies
INTERVAL_PER_COPY: Final = 20  # times as long as the last copy took

_log = logging.getLogger(__name__)


def place_of(output: str) -> str:
    """The remote folder of an output's state; dataset readers skip names with a leading underscore."""
    folder, _, name = output.rpartition("/")
    return f"{folder}/_{name}.cutline"


def beside_captions(job: Job, output: str) -> tuple[Job, Path | None]:
    """Name the job's state and list of failures so that its output folder still reads as one table.

    Remote outputs, and jobs begun under the usual names, stay as they are.
    """
    if is_remote(output):
        return job, None
    state = state_folder(output, None)
    failures = failures_file(output, state)
    if not state.exists():
        state = passed_over(state)
        failures = failures if failures.exists() else passed_over(failures)
    chosen = job.run.state or str(state)
    return dataclasses.replace(job, run=dataclasses.replace(job.run, state=chosen)), failures


@dataclasses.dataclass(frozen=True, slots=True)
class _File:
    """A local file and its remote copy."""

    local: Path
    remote: str


class CarriedState:
    """Copies the journal and the output's state, which are needed to continue, the report and failures."""

    def __init__(self, output: str) -> None:
        self._place = place_of(output)
        folder = state_folder(output, None)
        self._folder = folder
        self._storage, root = open_storage(self._place)
        self._journal = _File(folder / "journal.jsonl", f"{root}/journal.jsonl")
        # The journal last, so that it is never older than the rest.
        self._files = [
            _File(folder / "output.json", f"{root}/output.json"),
            _File(folder / REPORT, f"{root}/{REPORT}"),
            _File(failures_file(output, folder), f"{root}/failures.jsonl"),
            self._journal,
        ]
        self._copied: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()

    def bring(self) -> bool:
        """Download the state that another container left, if it is further than ours; raises SinkError."""
        try_writing(self._place)
        with storage_errors(self._place):
            self._storage.invalidate_cache()
            for file in self._files[:-1]:
                if self._size(file.remote):
                    self._copied[file.remote] = (0, 0)  # an earlier run's, so it may be replaced or removed
            left = self._size(self._journal.remote)
            here = self._journal.local.stat().st_size if self._journal.local.exists() else 0
            if left <= here:
                return False
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            for file in (self._files[0], self._journal):
                if self._size(file.remote):
                    self._storage.get_file(file.remote, str(file.local))
        return True

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Copy the state periodically, and at the end; raises SinkError if the last copy fails."""
        copier = threading.Thread(target=self._keep_copying, name="cutline-state", daemon=True)
        copier.start()
        try:
            yield
        finally:
            self._ended.set()
            copier.join()
            self.copy()

    def copy(self) -> None:
        """Copy what has changed; raises SinkError."""
        for file in self._files:
            try:
                status = file.local.stat()
            except FileNotFoundError:  # such as the failures
                if self._copied.pop(file.remote, None) is not None:
                    with storage_errors(self._place):
                        self._storage.rm_file(file.remote)
                continue
            mark = (status.st_size, status.st_mtime_ns)
            if self._copied.get(file.remote) != mark:
                with storage_errors(self._place):
                    self._storage.put_file(str(file.local), file.remote)
                self._copied[file.remote] = mark

    def _keep_copying(self) -> None:
        pause = MIN_INTERVAL
        while not self._ended.wait(pause):
            begun = time.monotonic()
            try:
                self.copy()
            except CutlineError as error:
                _log.warning("state not copied: %s", error)
            pause = max(MIN_INTERVAL, INTERVAL_PER_COPY * (time.monotonic() - begun))

    def _size(self, path: str) -> int:
        try:
            details: dict[str, Any] = self._storage.info(path)
        except FileNotFoundError:
            return 0
        return int(details.get("size") or 0)
