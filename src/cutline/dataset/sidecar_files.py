"""The text files of a dataset's folder: content as bytes, replaced whole; links may lead out of it or not."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH116, PTH118, PTH119, PTH120

from __future__ import annotations

import contextlib
import os
import stat
import threading
import time
import weakref
from pathlib import Path
from typing import Final

from cutline.errors import PictureError, SampleError, SinkError
from cutline.files import file_errors, name_to_text, sync_files, text_to_name, write_atomically
from cutline.regular_files import read_regular
from cutline.sidecars.encoding import MAX_BYTES, read
from cutline.sidecars.links import LinkOutside, enter_folder, read_inside
from cutline.sidecars.obstacles import check_replaceable

_FEW: Final = 32
_PARTS: Final = ".cutline-edit*.part"
_MOMENT: Final = 0.02  # seconds in which a folder that was moved away may still be written to
_CAN_ENTER: Final = os.open in os.supports_dir_fd
_WRITABLE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


class SidecarFiles:
    """Reads and replaces the texts below a folder, from any thread. ``file`` is a relative path.

    Raises:
        SampleError: ``sidecar``, from all methods: this one file cannot be read or written.
        SinkError: none can be read or written, as the disk is full or the folder is gone.
    """

    def __init__(self, root: str, *, follow_links: bool = False) -> None:
        """``follow_links``: read and write also where links lead out of the folder."""
        self._root = os.path.realpath(root)
        self._follow_links = follow_links
        self._entered = _Entered()
        self._unsynced: list[Path] = []
        self._seen = -_MOMENT

    def read(self, file: str) -> bytes | None:
        """The content, or None without a file."""
        content = self._read(file)
        if content is None:
            self._check_root()  # without its folder a text is not deleted
        return content

    def _read(self, file: str) -> bytes | None:
        path = self._path(file)
        try:
            folder = self._enter(os.path.dirname(path))
            if folder is not None:
                return read_regular(path, MAX_BYTES, follow=False, folder=folder.descriptor)
        except (LinkOutside, OSError, PictureError) as error:
            if isinstance(error, PictureError) and error.kind == "missing":
                return None
        try:  # a link, or what cannot be read for a reason that this finds
            return read_inside(path, self._root, folder=os.path.realpath(os.path.dirname(path)))
        except LinkOutside:
            if self._follow_links:
                return read(path)
            raise SampleError("sidecar", _leads_out(file)) from None
        except SampleError:
            check_replaceable(Path(path))  # names the cure of what it finds
            raise

    def replace(self, file: str, content: bytes | None) -> None:
        """Write the content, or delete the file for None; atomic."""
        path = self._path(file)
        try:
            folder = self._enter(os.path.dirname(path))
        except FileNotFoundError:
            raise SampleError("sidecar", f"the folder of {file} is gone: put it back") from None
        except (LinkOutside, OSError):
            check_replaceable(Path(path))
            if not self._follow_links:
                raise SampleError("sidecar", _leads_out(file)) from None
            folder = None
        if folder is None or not _is_plain(os.path.basename(path), folder.descriptor):
            check_replaceable(Path(path))
        descriptor = None if folder is None else folder.descriptor
        try:
            with file_errors(path):
                if content is None:
                    _remove(path, descriptor)
                else:
                    part = _PARTS.replace("*", f"-{threading.get_native_id()}")
                    write_atomically(path, content, part=part, sync=False, folder=descriptor)
        except SampleError:
            check_replaceable(Path(path))  # names the cure of what it finds
            raise
        if content is not None and len(self._unsynced) <= _FEW:
            self._unsynced.append(Path(path))

    def sync(self) -> None:
        """Flush everything written to disk: few files one by one, many by syncing the file system."""
        files, self._unsynced, self._entered = self._unsynced, [], _Entered()
        if len(files) > _FEW and hasattr(os, "sync"):
            os.sync()
        else:
            sync_files(files)

    def remove_parts(self, files: list[str]) -> None:
        """Delete temporary files of dead processes beside these files."""
        for folder in {os.path.dirname(self._path(file)) for file in files}:
            for part in Path(folder).glob(_PARTS):
                part.unlink(missing_ok=True)

    def _check_root(self) -> None:
        """SinkError: the folder is gone, or empty, as the place of a disk that is not mounted."""
        try:
            is_there = stat.S_ISDIR(os.stat(self._root).st_mode)
            if is_there and time.monotonic() - self._seen > _MOMENT:
                with os.scandir(self._root) as entries:
                    is_there = next(entries, None) is not None
                self._seen = time.monotonic() if is_there else -_MOMENT
        except FileNotFoundError:
            is_there = False
        except OSError:
            return
        if not is_there:
            raise SinkError(f"{name_to_text(self._root)} is gone: put it back, or connect its disk again")

    def _path(self, file: str) -> str:
        return os.path.join(self._root, text_to_name(file))

    def _enter(self, path: str) -> _Folder | None:
        """The open folder at ``path``, reused if it is the previous one; None if it cannot be opened.

        Raises:
            LinkOutside: it is elsewhere.
            OSError: it cannot be opened.
        """
        folder = self._entered.folder
        if folder is None or folder.path != path or not folder.is_there():
            if not _CAN_ENTER:
                if os.path.commonpath([os.path.realpath(path), self._root]) != self._root:
                    raise LinkOutside
                return None
            self._entered.folder = folder = _Folder(path, enter_folder(path, self._root))
        return folder


class _Entered(threading.local):
    """The open folder of a thread."""

    folder: _Folder | None = None


class _Folder:
    """An open folder, closed once nothing refers to it; consecutive texts share it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self.descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)
        self._status = os.fstat(descriptor)
        self._checked = time.monotonic()

    def is_there(self) -> bool:
        """Whether the path still led to it at the last check."""
        now = time.monotonic()
        if now - self._checked < _MOMENT:
            return True
        self._checked = now
        try:
            return os.path.samestat(os.stat(self.path), self._status)
        except OSError:
            return False


def _leads_out(file: str) -> str:
    return (
        f"{file} is, or lies behind, a link that leads out of the folder: put a file there, or give "
        "--follow-links"
    )


def _is_plain(name: str, folder: int) -> bool:
    """Whether a file can be replaced, or is missing."""
    try:
        mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & _WRITABLE) and os.access(name, os.W_OK, dir_fd=folder)


def _remove(path: str, folder: int | None) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path if folder is None else os.path.basename(path), dir_fd=folder)
