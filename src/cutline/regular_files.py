"""Regular files: read with a bound on their size, never devices or pipes that wait; and refused links."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cutline.errors import ConfigError, PictureError
from cutline.files import name_to_text
from cutline.formatting import one_line


def refuse_links_in(folder: Path, others: Sequence[Path] = ()) -> None:
    """Refuse links among the files of a state folder, and ``others``: what they lead to would be changed.

    The folder may be a link itself, to where the user keeps states, and need not exist.

    Raises:
        ConfigError: one of the files is a link, or the folder is a file or a link that leads nowhere.
    """
    shown = name_to_text(str(folder))
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"{shown} is a file where a folder for the state belongs: move it away")
    if folder.is_symlink() and not folder.exists():
        raise ConfigError(f"{shown} is a link that leads nowhere: remove it, or make the folder it leads to")
    links = [other for other in others if other.is_symlink()]
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        links += sorted(Path(entry.path) for entry in entries if entry.is_symlink())
    if links:
        raise ConfigError(
            f"{name_to_text(str(links[0]))} is a link to another file, which would change: remove the link"
        )


def read_regular(file: str, max_bytes: int, *, follow: bool = True, folder: int | None = None) -> bytes:
    """The content of a regular file of at most ``max_bytes``; never waits on a pipe or reads a device.

    ``follow``: also behind a link. ``folder``: descriptor of the folder that it is opened in.

    Raises:
        PictureError: ``missing``, ``too-large``, or ``fetch`` for what is not a readable regular file.
    """
    descriptor, size = open_regular(file, follow=follow, folder=folder)
    try:
        if size > max_bytes:
            raise too_large(name_to_text(file), size, max_bytes)
        # One byte more than the reported size shows whether the file is still growing.
        data = read_up_to(descriptor, size + 1)
        while len(data) > size and size < max_bytes:
            size = max_bytes
            data += read_up_to(descriptor, max_bytes + 1 - len(data))
        if len(data) > max_bytes:
            raise too_large(name_to_text(file), None, max_bytes)
    except OSError as error:
        raise _unreadable(file, error) from error
    finally:
        os.close(descriptor)
    return data


def open_regular(file: str, *, follow: bool = True, folder: int | None = None) -> tuple[int, int]:
    """Descriptor and size. Checks the type before opening, as opening a device can have effects."""
    name = file if folder is None else os.path.basename(file)  # noqa: PTH119 - names need not be Unicode
    try:
        mode = os.stat(name, follow_symlinks=follow, dir_fd=folder).st_mode
        if not stat.S_ISREG(mode):
            raise _not_regular(file, mode)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        flags |= 0 if follow else getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(name, flags | getattr(os, "O_CLOEXEC", 0), dir_fd=folder)
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _not_regular(file, status.st_mode)
    return descriptor, status.st_size


def _not_regular(file: str, mode: int) -> PictureError:
    why = "not a regular file"
    if stat.S_ISDIR(mode):
        why = "a folder, not a picture: give its pictures, or the folder by itself as the input"
    return PictureError("fetch", f"{name_to_text(file)}: {why}")


def read_up_to(descriptor: int, size: int) -> bytes:
    """``size`` bytes, or fewer at the end of the file."""
    first = os.read(descriptor, size)
    if len(first) == size or not first:
        return first
    chunks, missing = [first], size - len(first)
    while missing and (chunk := os.read(descriptor, missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _unreadable(file: str, error: OSError | ValueError) -> PictureError:
    gone = isinstance(error, OSError) and error.errno in {errno.ENOENT, errno.ENOTDIR}
    return PictureError("missing" if gone else "fetch", f"{name_to_text(file)}: {one_line(error)}")


def too_large(path: str, size: int | None, limit: int) -> PictureError:
    found = f"{size:,} bytes" if size is not None else f"more than {limit:,} bytes"
    return PictureError("too-large", f"{path}: {found}; at most {limit:,} are read")
