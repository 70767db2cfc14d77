"""The captions of pictures in the files beside them."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH116, PTH118, PTH120

from __future__ import annotations

import os
import time
from typing import Final

from cutline.dataset.records import Change
from cutline.dataset.scan import Entry
from cutline.dataset.sidecar_files import SidecarFiles
from cutline.errors import SampleError
from cutline.files import name_to_text
from cutline.sidecars import TextDecoder
from cutline.sidecars.decoder import unknown_encoding
from cutline.sidecars.encoding import SidecarText

SETTLED: Final = 3_000_000_000  # ns; a younger file may change again without another time


class CaptionFiles:
    """Captions as texts with line feeds; encoding, mark and line ends of each file are kept."""

    def __init__(self, root: str, ending: str, text_encoding: str | None = None) -> None:
        """ConfigError: there is no such encoding."""
        self.contents = SidecarFiles(root)
        self._root = root
        self._decoder = TextDecoder(text_encoding, root=root, ending=ending)

    def read(self, entry: Entry) -> str | None:
        """None where there is none, or none that can be read."""
        return self.read_certain(entry)[0]

    def read_certain(self, entry: Entry) -> tuple[str | None, bool]:
        """The caption, and whether its own file alone decides about it: no other file, no other texts."""
        try:
            content = self.contents.read(name_to_text(entry.sidecar))
            is_own = content is not None
            if content is None and entry.common is not None:
                content = self.contents.read(name_to_text(entry.common))
        except SampleError:
            return None, False
        if content is None:
            return None, False
        text = self._decoder.decode(content, self._folder(entry))
        return _caption(text), is_own and not text.detected and not text.unsure

    def problem(self, entry: Entry) -> str:
        """Why the text of a picture cannot be edited; empty if it can."""
        file = name_to_text(entry.sidecar)
        try:
            content = self.contents.read(file)
        except SampleError as error:
            return str(error)
        return unknown_encoding(file) if content is not None and self._is_unsure(entry, content) else ""

    def stamp(self, entry: Entry) -> tuple[tuple[int, int, int], ...] | None:
        """Times and sizes of the files that the caption is in; None while one is too young to be sure."""
        found = []
        for file in (entry.sidecar, entry.common):
            try:
                status = os.stat(os.path.join(self._root, file)) if file is not None else None
            except OSError:
                status = None
            if status is not None and time.time_ns() - status.st_mtime_ns < SETTLED:
                return None
            found.append((status.st_mtime_ns, status.st_size, status.st_ino) if status else (0, 0, 0))
        return tuple(found)

    def decode(self, entry: Entry, content: bytes) -> str | None:
        """The caption in a file's content; None where it is empty, or in no known encoding."""
        return _caption(self._decoder.decode(content, self._folder(entry)))

    def change(self, entry: Entry, caption: str | None) -> tuple[Change, str | None]:
        """The change that gives a picture its caption, or none, and the caption that it has.

        Raises:
            SampleError: ``sidecar``, its file cannot be read, or is in no known encoding.
        """
        file = name_to_text(entry.sidecar)
        content = self.contents.read(file)
        if content is None:
            after = None if caption is None else self._decoder.new(caption)
            found = self.read(entry) if entry.common is not None else None
            return Change(file=file, before=None, after=after), found
        old = self._decoder.decode(content, self._folder(entry))
        if old.unsure:
            raise SampleError("sidecar", unknown_encoding(file))
        after = None if caption is None else self._decoder.rewrite_text(content, old, caption)
        return Change(file=file, before=content, after=after), _caption(old)

    def _is_unsure(self, entry: Entry, content: bytes) -> bool:
        return self._decoder.decode(content, self._folder(entry)).unsure

    def _folder(self, entry: Entry) -> str:
        return os.path.join(self._root, os.path.dirname(entry.sidecar))


def _caption(text: SidecarText) -> str | None:
    if text.unsure:
        return None
    caption = text.caption
    if "\r" in caption:
        caption = caption.replace("\r\n", "\n").replace("\r", "\n")
    return caption or None
