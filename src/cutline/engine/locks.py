"""Locks of state folders and outputs: one run at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import stat
import time
from pathlib import Path

import filelock
import orjson

from cutline.app_dirs import state_dir
from cutline.errors import OutputLocked, SinkError
from cutline.files import remedy, write_atomically, write_errors
from cutline.formatting import one_line
from cutline.serialization import read_object
from cutline.sources.outputs import OWNER
from cutline.storage import is_remote, local_path

MAX_NAME = 200
_FIRST_FILES = frozenset({"lock", OWNER})


class FolderLock:
    """A lock on a folder, which is made for it; a folder that holds nothing else goes with its release.

    Raises:
        OutputLocked: another run has it; names that run.
        SinkError: the folder cannot be written.
    """

    def __init__(self, folder: Path, output: str) -> None:
        self._folder = folder
        self._lock = filelock.FileLock(folder / "lock")
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise OutputLocked(_locked_message(folder, output)) from None
        except OSError as error:
            raise SinkError(
                f"cannot write beside the output, to {error.filename or folder}: {one_line(error)}; "
                f"{remedy(error)}, or name another folder with --state"
            ) from None
        since = time.strftime("%Y-%m-%d %H:%M:%S")
        owner = {"process": os.getpid(), "host": socket.gethostname(), "since": since}
        if not is_remote(output):
            owner["output"] = Path(local_path(output)).resolve().name
        try:
            with write_errors(folder / OWNER):
                write_atomically(folder / OWNER, orjson.dumps(owner, option=orjson.OPT_INDENT_2))
        except SinkError:
            self._lock.release()
            raise

    def release(self) -> None:
        """Give the lock back."""
        with contextlib.suppress(OSError):
            names = {entry.name for entry in self._folder.iterdir()}
            if names <= _FIRST_FILES:  # the run was refused before it began
                (self._folder / OWNER).unlink(missing_ok=True)
                _unlink_held(self._folder / "lock")
        self._lock.release()
        with contextlib.suppress(OSError):  # there is more in it, or another run has just come
            self._folder.rmdir()


class OutputLock:
    """A lock that stands for an output; raises as ``FolderLock``. Its file goes with its release."""

    def __init__(self, file: Path, output: str) -> None:
        self._file = file
        self._lock = filelock.FileLock(file)
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except filelock.Timeout:
            raise OutputLocked(
                f"another run, with another --state, is writing to {output}; wait for it, or choose another "
                "output"
            ) from None
        except OSError as error:
            raise SinkError(f"cannot lock {output} by {file}: {one_line(error)}; {remedy(error)}") from None

    def release(self) -> None:
        """Give the lock back."""
        _unlink_held(self._file)
        self._lock.release()


def _unlink_held(lock: Path) -> None:
    """Remove a lock's file while the lock is held: another run could take it just before it goes."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            lock.unlink(missing_ok=True)


def output_locks(output: str) -> list[Path]:
    """Files whose locks stand for an output, whatever name it has and wherever its state is."""
    if is_remote(output):
        return [_own_lock(output.rstrip("/"))]
    path = Path(local_path(output)).resolve()  # resolves "." and links
    name = path.name.encode(errors="surrogateescape")
    short = path.name if len(name) < MAX_NAME else hashlib.blake2b(name, digest_size=16).hexdigest()
    beside = path.parent / f".{short}.cutline-lock"
    locks = [beside if os.access(path.parent, os.W_OK) else _own_lock(str(path))]
    with contextlib.suppress(OSError):
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:  # a hard link is another name of it
            locks.append(_own_lock(f"{status.st_dev} {status.st_ino}"))
    return locks


def _own_lock(name: str) -> Path:
    """A lock for the runs of this user on this machine."""
    digest = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=16).hexdigest()
    return state_dir() / "locks" / f"{digest}.lock"


def _locked_message(folder: Path, output: str) -> str:
    owner = read_object(folder / OWNER) or {}
    process, host, since = (owner.get(name, "?") for name in ("process", "host", "since"))
    who = f"process {process} on {host}, since {since}"
    return f"another run is writing to {output} ({who}); wait for it, or choose another output"
