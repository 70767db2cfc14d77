"""Reads and writes sidecars within their output folder, wherever links lead meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

from cutline.errors import SampleError
from cutline.files import write_atomically
from cutline.sidecars.encoding import read
from cutline.sidecars.links import LinkOutside, open_folder, read_inside


class SidecarFiles:
    """Sidecars below ``root``, or beside pictures without one; ``follow_links`` lifts what that means."""

    def __init__(self, root: Path | None, *, part: str, follow_links: bool, overwrites: bool) -> None:
        """``part``: the name of files that are being written. ``overwrites``: links are replaced."""
        self._root = root
        self._part = part
        self._follow_links = follow_links
        self._overwrites = overwrites

    def read(self, file: Path) -> bytes | None:
        """The bytes of a sidecar; SampleError: it cannot be read, or is a link to somewhere else."""
        if self._follow_links:
            return read(os.fspath(file))
        folder = os.path.realpath(file.parent)
        root = os.path.realpath(self._root) if self._root else folder
        try:
            # A folder elsewhere was refused before, or is the picture's own.
            return read_inside(os.fspath(file), root, folder=root if self._root is None else folder)
        except LinkOutside:
            if self._overwrites:
                return b""  # the link is replaced, and where it leads left alone
            raise SampleError(
                "sidecar", f"{file} is a link that leads out of the folder: remove it, or give --follow-links"
            ) from None

    def write(self, file: Path, data: bytes) -> None:
        """Replace a sidecar; SampleError: its folder leads out of the output by a link. Raises OSError."""
        file.parent.mkdir(parents=True, exist_ok=True)
        if self._root is None or self._follow_links:
            write_atomically(file, data, part=self._part, sync=False)
            return
        try:
            with open_folder(os.fspath(file.parent), os.path.realpath(self._root)) as folder:
                write_atomically(file, data, part=self._part, sync=False, folder=folder)
        except LinkOutside:
            raise SampleError(
                "sidecar", f"{file.parent} leads out of {self._root} by a link that was put there meanwhile"
            ) from None
