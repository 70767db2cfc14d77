"""A job's state beside its output, so that the same job, or another container, can go on."""

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

EVERY: Final = 60.0  # seconds, and at least
RARELY: Final = 20  # times as long as the last copy took

_log = logging.getLogger(__name__)


def place_of(output: str) -> str:
    """The remote folder of an output's state; readers of datasets pass over names that begin so."""
    folder, _, name = output.rpartition("/")
    return f"{folder}/_{name}.cutline"


def beside_captions(job: Job, output: str) -> tuple[Job, Path | None]:
    """The job with its state, and its list of failures, so named that the folder is read as one table.

    Nothing changes for remote outputs, and where a job was begun under the usual names.
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
    """One file, here and there."""

    here: Path
    there: str


class CarriedState:
    """Copies what is needed to go on: the journal, and how the output was left; the report and failures too.

    Raises:
        ConfigError: the storage cannot be reached.
    """

    def __init__(self, output: str) -> None:
        self._place = place_of(output)
        folder = state_folder(output, None)
        self._folder = folder
        self._storage, root = open_storage(self._place)
        self._journal = _File(folder / "journal.jsonl", f"{root}/journal.jsonl")
        # The journal last: with it the rest is as old or older, never newer.
        self._files = [
            _File(folder / "output.json", f"{root}/output.json"),
            _File(folder / REPORT, f"{root}/{REPORT}"),
            _File(failures_file(output, folder), f"{root}/failures.jsonl"),
            self._journal,
        ]
        self._copied: dict[str, tuple[int, int]] = {}
        self._ended = threading.Event()

    def bring(self) -> bool:
        """Take over what another container left, where that is more than what is here.

        Raises:
            SinkError: the storage cannot be read, or will not take what there is to keep.
        """
        try_writing(self._place)
        with storage_errors(self._place):
            self._storage.invalidate_cache()
            for file in self._files[:-1]:
                if self._size(file.there):
                    self._copied[file.there] = (0, 0)  # by an earlier run, so it may be replaced or removed
            left = self._size(self._journal.there)
            here = self._journal.here.stat().st_size if self._journal.here.exists() else 0
            if left <= here:
                return False
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            for file in (self._files[0], self._journal):
                if self._size(file.there):
                    self._storage.get_file(file.there, str(file.here))
        return True

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Copy the state every now and then, and when it is over.

        Raises:
            SinkError: the last copy could not be made.
        """
        copier = threading.Thread(target=self._keep_copying, name="cutline-state", daemon=True)
        copier.start()
        try:
            yield
        finally:
            self._ended.set()
            copier.join()
            self.copy()

    def copy(self) -> None:
        """Copy what has changed; raises SinkError when the storage refuses."""
        for file in self._files:
            try:
                status = file.here.stat()
            except FileNotFoundError:
                self._remove(file)
                continue
            mark = (status.st_size, status.st_mtime_ns)
            if self._copied.get(file.there) != mark:
                with storage_errors(self._place):
                    self._storage.put_file(str(file.here), file.there)
                self._copied[file.there] = mark

    def _remove(self, file: _File) -> None:
        """Take away what was copied of a file that is there no more, such as failures."""
        if self._copied.pop(file.there, None) is not None:
            with storage_errors(self._place):
                self._storage.rm_file(file.there)

    def _keep_copying(self) -> None:
        pause = EVERY
        while not self._ended.wait(pause):
            begun = time.monotonic()
            try:
                self.copy()
            except CutlineError as error:
                _log.warning("state not copied: %s", error)
            pause = max(EVERY, RARELY * (time.monotonic() - begun))

    def _size(self, path: str) -> int:
        try:
            details: dict[str, Any] = self._storage.info(path)
        except FileNotFoundError:
            return 0
        return int(details.get("size") or 0)
