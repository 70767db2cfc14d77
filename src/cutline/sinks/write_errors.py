"""What the system says when an output cannot be written, in words that name the cure."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from cutline.errors import CutlineError, SinkError
from cutline.formatting import one_line

_CURES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of your quota",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f)",
    errno.EROFS: "make the file system writable",
    errno.EACCES: "allow writing there",
    errno.EPERM: "allow writing there",
    errno.EIO: "check the disk",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
}


@contextlib.contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Turns what the system refuses into one line that names the place and the cure.

    Raises:
        SinkError: instead of any OSError within.
    """
    try:
        yield
    except OSError as error:
        reason = one_line(error)
        cure = _CURES.get(error.errno or 0, "mend that")
        raise SinkError(
            f"cannot write {place}: {reason}; {cure}, then run the same command again: nothing is lost"
        ) from error


@contextlib.contextmanager
def storing(place: str) -> Iterator[None]:
    """As ``writing``, for storage behind fsspec, whose packages raise errors of their own kinds.

    Raises:
        SinkError: instead of any error within that is not cutline's.
    """
    try:
        yield
    except CutlineError:
        raise
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", 500)
        raise SinkError(
            f"cannot use {place}: {reason}; mend that, then run the same command again: nothing is lost"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make renames within ``folder`` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
