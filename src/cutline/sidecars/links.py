"""Texts beside pictures that are links: read within the input's folder, and nowhere else."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH118, PTH119, PTH120

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from cutline.errors import PictureError, SampleError
from cutline.regular_files import read_regular
from cutline.sidecars.encoding import MAX_BYTES


class LinkOutside(Exception):
    """A link leads out of the folder that may be read."""


@contextlib.contextmanager
def open_folder(folder: str, root: str) -> Iterator[int | None]:
    """The descriptor of a folder below the real path ``root``; None where the system cannot use one.

    It is entered step by step, so that links which are put into its path meanwhile are not followed.

    Raises:
        LinkOutside: it is elsewhere, or behind such a link.
        OSError: it cannot be opened.
    """
    if os.open not in os.supports_dir_fd:
        _steps(folder, root)
        yield None
        return
    descriptor = enter_folder(folder, root)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _steps(folder: str, root: str) -> list[str]:
    real = os.path.realpath(folder)
    try:
        inside = os.path.commonpath([real, root]) == root
    except ValueError as error:  # on another drive
        raise LinkOutside from error
    if not inside:
        raise LinkOutside
    return list(Path(os.path.relpath(real, root)).parts)


def enter_folder(folder: str, root: str) -> int:
    """As ``open_folder``, for the caller to close, where the system can."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    steps = _steps(folder, root)
    descriptor = os.open(root, flags)
    for name in steps:
        outer = descriptor
        try:
            descriptor = os.open(name, flags | os.O_NOFOLLOW, dir_fd=outer)
        except OSError as error:
            if error.errno in {errno.ELOOP, errno.ENOTDIR}:
                raise LinkOutside from error
            raise
        finally:
            os.close(outer)
    return descriptor


def read_inside(file: str, root: str, *, folder: str) -> bytes | None:
    """The bytes of a text file below the real path ``root``; None where there is none.

    ``folder`` is the real path of the folder that it is in. A link that is put in the place of the file,
    or of a folder above it, meanwhile is not followed.

    Raises:
        LinkOutside: it is, or lies behind, a link to a place elsewhere.
        SampleError: ``sidecar``, it cannot be read.
    """
    try:
        linked = stat.S_ISLNK(os.lstat(file).st_mode)
        real = os.path.realpath(file) if linked else os.path.join(folder, os.path.basename(file))
        with open_folder(os.path.dirname(real), root) as descriptor:
            return read_regular(real, MAX_BYTES, follow=False, folder=descriptor)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise SampleError("sidecar", f"the caption beside the picture: {error}") from error
    except PictureError as error:
        if error.kind == "missing":
            return None
        raise SampleError("sidecar", f"the caption beside the picture: {error}") from error
