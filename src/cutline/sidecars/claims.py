"""Folders in which a run of this user writes sidecars: no other run writes them within or around it."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import filelock
import orjson

from cutline.app_dirs import state_dir
from cutline.errors import OutputLocked
from cutline.files import name_to_text, write_atomically
from cutline.serialization import read_object


class FolderClaim:
    """Held by one run until ``release``; sidecars with another ending are no matter.

    Raises:
        OutputLocked: a run writes sidecars to a folder within this one, or around it.
    """

    def __init__(self, folder: Path, ending: str) -> None:
        self._folder, self._ending = os.path.realpath(folder), ending
        name = f"{self._folder}\0{ending}".encode(errors="surrogateescape")
        self._file = state_dir() / "sidecars" / f"{hashlib.blake2b(name, digest_size=16).hexdigest()}.json"
        self._lock = filelock.FileLock(self._file.with_suffix(".lock"))
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
            record = {"folder": os.fsencode(self._folder).hex(), "ending": ending, "process": os.getpid()}
            write_atomically(self._file, orjson.dumps(record), sync=False)
        except filelock.Timeout:
            raise OutputLocked(self._message(self._folder)) from None
        except OSError:  # no home that can be written to: the lock of the output is left
            return
        try:
            self._check()
        except OutputLocked:
            self.release()
            raise

    def release(self) -> None:
        """Give it back."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._file.unlink(missing_ok=True)
            self._lock.release()

    def _check(self) -> None:
        for file in self._file.parent.glob("*.json"):
            record = read_object(file) or {}
            folder, ending = record.get("folder"), record.get("ending")
            if file == self._file or not isinstance(folder, str) or ending != self._ending:
                continue
            try:
                other = os.fsdecode(bytes.fromhex(folder))
            except ValueError:
                continue
            if self._is_nested(other) and _is_held(file.with_suffix(".lock")):
                raise OutputLocked(self._message(other))

    def _message(self, other: str) -> str:
        return (
            f"another run is writing texts to {name_to_text(other)}, which shares files with "
            f"{name_to_text(self._folder)}; wait for it, or write to another folder"
        )

    def _is_nested(self, other: str) -> bool:
        with contextlib.suppress(ValueError):  # on another drive
            return os.path.commonpath([other, self._folder]) in {other, self._folder}
        return False


def _is_held(lock: Path) -> bool:
    if not lock.exists():
        return False
    other = filelock.FileLock(lock)
    try:
        other.acquire(timeout=0)
    except filelock.Timeout:
        return True
    other.release()
    return False
