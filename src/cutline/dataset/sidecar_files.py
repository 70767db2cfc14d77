"""The text files of a dataset's folder: content as bytes, replaced whole, never outside the folder."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH118, PTH120

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cutline.errors import SampleError
from cutline.files import file_errors, sync_files, text_to_name, write_atomically
from cutline.sidecars.links import LinkOutside, read_inside
from cutline.sidecars.obstacles import check_replaceable

_FEW: Final = 32
PART: Final = ".cutline-edit.part"


class SidecarFiles:
    """Reads and replaces the texts below a folder. ``file`` is a path relative to it, as valid Unicode.

    Raises:
        SampleError: ``sidecar``, from all methods: this one file cannot be read or written.
        SinkError: none can be written, as the disk is full.
    """

    def __init__(self, root: str) -> None:
        self._root = os.path.realpath(root)
        self._folder = ("", "")
        self._unsynced: list[Path] = []

    def read(self, file: str) -> bytes | None:
        """None where there is no file."""
        path = self._path(file)
        try:
            return read_inside(path, self._root, folder=self._real_folder(os.path.dirname(path)))
        except LinkOutside:
            raise SampleError(
                "sidecar", f"{file} is a link that leads out of the folder: remove it"
            ) from None

    def replace(self, file: str, content: bytes | None) -> None:
        """Write the content, or delete the file for None; a crash leaves the old or the new one whole."""
        path = Path(self._path(file))
        if os.path.commonpath([self._real_folder(os.path.dirname(path)), self._root]) != self._root:
            raise SampleError("sidecar", f"{file} leads out of the folder by a link: remove it")
        check_replaceable(path)
        with file_errors(path):
            if content is None:
                path.unlink(missing_ok=True)
            else:
                write_atomically(path, content, part=PART, sync=False)
                self._unsynced.append(path)

    def sync(self) -> None:
        """Flush everything written to disk: few files one by one, many with all that the system holds."""
        files, self._unsynced = self._unsynced, []
        if len(files) > _FEW and hasattr(os, "sync"):
            os.sync()
        else:
            sync_files(files)

    def remove_parts(self, files: list[str]) -> None:
        """Delete what a dead process left beside these files."""
        for folder in {os.path.dirname(self._path(file)) for file in files}:
            Path(folder, PART).unlink(missing_ok=True)

    def _path(self, file: str) -> str:
        return os.path.join(self._root, text_to_name(file))

    def _real_folder(self, folder: str) -> str:
        if folder != self._folder[0]:
            self._folder = (folder, os.path.realpath(folder))
        return self._folder[1]
