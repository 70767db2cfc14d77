"""Temporary folders that outlive no process for long: what a killed one left, the next one removes."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import filelock

_PREFIX: Final = "cutline-"
_LOCK: Final = "lock"


@contextlib.contextmanager
def temporary_folder(purpose: str) -> Iterator[Path]:
    """A new folder that is named after its ``purpose``, removed at the end.

    Raises:
        OSError: it cannot be made.
    """
    _remove_left()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
    try:
        if os.name == "posix":
            # Under its name only once it is held: others take it for that of a dead process otherwise.
            lock = filelock.FileLock(folder / "new")
            lock.acquire()
            (folder / "new").rename(folder / _LOCK)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if os.name == "posix":
            lock.release()


@functools.cache
def _remove_left() -> None:
    """Remove folders of this user whose processes are gone; once in a process."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/"):
            with contextlib.suppress(OSError, filelock.Timeout):
                status = folder.lstat()
                if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and _has_lock(folder):
                    with filelock.FileLock(folder / _LOCK, timeout=0):
                        shutil.rmtree(folder, ignore_errors=True)


def _has_lock(folder: Path) -> bool:
    return stat.S_ISREG((folder / _LOCK).lstat().st_mode)
