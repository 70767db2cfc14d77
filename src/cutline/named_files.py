"""Files that the user named, which may be pipes: waiting for the other end stops with Ctrl-C or SIGTERM."""

from __future__ import annotations

import contextlib
import shutil
import signal
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from cutline.temporary_folders import temporary_folder

_STREAMS = ("/dev/", "/proc/")


class StoppedWaiting(KeyboardInterrupt):
    """A signal ended the wait for the other end of a pipe; ``signal`` is its number."""

    def __init__(self, path: Path, number: int) -> None:
        super().__init__(f"interrupted while waiting for {path}, which is not a regular file")
        self.signal = number


def read_named(path: Path, most: int = -1) -> bytes:
    """The content, at most ``most`` bytes of it.

    Raises:
        OSError: it cannot be read.
        StoppedWaiting: a signal came before the other end of a pipe did.
    """
    with _stoppable(path), path.open("rb") as file:
        return file.read(most)


@contextlib.contextmanager
def seekable(path: Path) -> Iterator[Path]:
    """The path, or of a pipe a temporary file of the same name, for what reads a file more than once.

    Raises:
        OSError: it cannot be read.
        StoppedWaiting: as for ``read_named``.
    """
    if not _waits(path):
        yield path
        return
    with temporary_folder("pipe") as folder:
        copy = Path(folder, path.name)
        with _stoppable(path), path.open("rb") as file, copy.open("wb") as to:
            shutil.copyfileobj(file, to)
        yield copy


def folder_of(path: Path) -> Path:
    """The folder that paths in a file are relative to: the working folder for ``/dev/fd/63``."""
    return Path() if str(path).startswith(_STREAMS) else path.parent


def _waits(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


@contextlib.contextmanager
def _stoppable(path: Path) -> Iterator[None]:
    """The signals raise within: an event loop's handlers would only take note of them, and the wait go on."""
    if not _waits(path) or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _: object) -> NoReturn:
        raise StoppedWaiting(path, number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
