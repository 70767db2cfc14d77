"""Why a sidecar cannot be replaced, as far as the file system shows it before anything is written."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cutline.errors import SampleError

_WRITABLE = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def check_replaceable(file: Path) -> None:
    """Raises SampleError ``sidecar`` where ``file`` cannot be written or replaced; it need not exist."""
    problem = _of_file(file) or _of_folder(file.parent)
    if problem:
        raise SampleError("sidecar", f"cannot write {file}: {problem}")


def _of_file(file: Path) -> str:
    try:
        status = file.stat()
    except OSError as error:
        if file.is_symlink():
            return "it is a link that leads nowhere; remove it, or restore its target"
        missing = isinstance(error, FileNotFoundError | NotADirectoryError)
        return "" if missing else str(error.strerror)
    if stat.S_ISDIR(status.st_mode):
        return "it is a folder; rename it, as the caption has that name"
    if not stat.S_ISREG(status.st_mode):
        return "it is not a regular file; remove it"
    if not status.st_mode & _WRITABLE or not os.access(file, os.W_OK):
        return "it is read-only; allow writing it (chmod u+w)"
    return ""


def _of_folder(folder: Path) -> str:
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent  # the missing ones are made
    if not folder.is_dir():
        return f"{folder} is not a folder; rename it, as captions belong into a folder of that name"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"the folder {folder} is read-only; allow writing there, or choose another output"
    return ""
