"""Atomic and durable writes, errors of writing in one line, and file names as valid Unicode."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Iterator
from pathlib import Path

from cutline.errors import SinkError
from cutline.formatting import one_line

_REMEDIES = {
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
def write_errors(path: Path | str) -> Iterator[None]:
    """Turn an OSError into one line that names the path and the remedy.

    Raises:
        SinkError: instead of any OSError within.
    """
    try:
        yield
    except OSError as error:
        remedy = _REMEDIES.get(error.errno or 0, "fix this")
        raise SinkError(
            f"cannot write {path}: {one_line(error)}; {remedy} and run the same command again: "
            "nothing is lost"
        ) from error


def sync_file(file: Path) -> None:
    """Flush a file's data to disk."""
    descriptor = os.open(file, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Flush renames within ``folder`` to disk, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data``; a reader, or a crash, finds the old or the new file whole.

    Raises:
        OSError: the folder is read-only or the disk is full; the old file is untouched.
    """
    # Cut by bytes: with the affixes the name must stay within the file system's 255.
    short = os.fsencode(path.name)[:200].decode("ascii", "replace").replace("�", "_")
    part = path.with_name(f".{short}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


_ESCAPED = re.compile("�([0-9A-F]{2})")


def name_to_text(name: str) -> str:
    """A file name as valid Unicode: each byte that is not UTF-8 becomes U+FFFD and two hex digits.

    JSON, Parquet and tar headers must hold UTF-8; file names need not. ``text_to_name`` is the inverse.
    """
    if name.isascii():
        return name
    return "".join(f"�{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in name)


def text_to_name(text: str) -> str:
    """The inverse of ``name_to_text``, for names on this file system."""
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text)
