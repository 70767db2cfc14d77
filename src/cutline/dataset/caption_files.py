"""Captions in text files beside the pictures."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH116, PTH118, PTH120

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Final

from cutline.dataset.records import Change
from cutline.dataset.scan import Entry
from cutline.dataset.sidecar_files import SidecarFiles
from cutline.errors import SampleError, SinkError
from cutline.files import name_to_text
from cutline.sidecars import TextDecoder
from cutline.sidecars.decoder import unknown_encoding
from cutline.sidecars.encoding import SidecarText, form_of

SETTLED: Final = 3_000_000_000  # ns; a younger file may change again without another time


class CaptionFiles:
    """Captions as texts with line feeds; each file keeps its encoding, byte-order mark and line ends."""

    def __init__(
        self, root: str, ending: str, text_encoding: str | None = None, *, follow_links: bool = False
    ) -> None:
        """``follow_links``: as of ``SidecarFiles``. ConfigError: there is no such encoding."""
        self.contents = SidecarFiles(root, follow_links=follow_links)
        self._root = root
        self._decoder = TextDecoder(text_encoding, root=root, ending=ending)
        self._encodings: dict[str, str] = {}  # of the texts that are not UTF-8, as they were read last
        self._converted: dict[str, str] = {}  # the earlier encodings of texts that edits made UTF-8

    def read(self, entry: Entry) -> str | None:
        """The caption; None if it is missing or unreadable."""
        return self.read_certain(entry)[0]

    def read_certain(self, entry: Entry) -> tuple[str | None, bool]:
        """The caption, and whether it may be kept: it depends on its own file only, and has no ``note``."""
        try:
            content = self.contents.read(name_to_text(entry.sidecar))
            is_own = content is not None
            if content is None and entry.common is not None:
                content = self.contents.read(name_to_text(entry.common))
        except SampleError:
            return None, False
        if content is None:
            return None, False
        text = self._decode(entry, content)
        return _caption(text), is_own and text.encoding == "utf-8" and not text.unsure

    def problem(self, entry: Entry) -> str:
        """Why the text of a picture cannot be edited; empty if it can be."""
        file = name_to_text(entry.sidecar)
        try:
            content = self.contents.read(file)
        except SampleError as error:
            return str(error)
        except SinkError:  # of all of them: what edits them names it
            return ""
        return unknown_encoding(file) if content is not None and self._is_unsure(entry, content) else ""

    def stamp(self, entry: Entry) -> tuple[tuple[int, int, int], ...] | None:
        """Times and sizes of the files of the caption; None while one was modified too recently to tell."""
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
        """The caption in a file's content; None if it is empty or cannot be decoded."""
        return _caption(self._decoder.decode(content, self._folder(entry)))

    def decode_edited(self, entry: Entry, content: bytes) -> str | None:
        """As ``decode``, of a content that an edit has written."""
        encoding = self._encodings.get(entry.sidecar)
        text = self._decode(entry, content)
        if encoding and not text.unsure and text.encoding == "utf-8" and not text.text.isascii():
            self._converted[entry.sidecar] = encoding
        return _caption(text)

    def note(self, entry: Entry) -> str:
        """That a text is not UTF-8, or that an edit made it so; mostly empty."""
        if encoding := self._encodings.get(entry.sidecar):
            return f"its text is in {encoding}, which edits keep while it has all characters"
        encoding = self._converted.get(entry.sidecar)
        return f"its text is in UTF-8 now, and was in {encoding}; undo brings that back" if encoding else ""

    @property
    def encodings(self) -> Mapping[str, str]:
        """The encodings of the texts that are not UTF-8, by their files."""
        return self._encodings.copy()

    @property
    def converted(self) -> Mapping[str, str]:
        """The earlier encodings of texts that edits made UTF-8, by their files."""
        return self._converted.copy()

    def converts(self, entry: Entry, caption: str | None) -> str:
        """The encoding of a text that this caption would make UTF-8; mostly empty."""
        encoding = self._encodings.get(entry.sidecar)
        if encoding is None or caption is None:
            return ""
        return "" if form_of("", encoding=encoding).with_caption(caption).encoding == encoding else encoding

    def change(self, entry: Entry, caption: str | None) -> tuple[Change, str | None]:
        """The change that sets or removes a picture's caption, and the current caption.

        Raises:
            SampleError: ``sidecar``, its file cannot be read or decoded.
        """
        file = name_to_text(entry.sidecar)
        content = self.contents.read(file)
        if content is None:
            after = None if caption is None else self._decoder.new(caption)
            found = self.read(entry) if entry.common is not None else None
            return Change(file=file, before=None, after=after), found
        old = self._decode(entry, content)
        if old.unsure:
            raise SampleError("sidecar", unknown_encoding(file))
        after = None if caption is None else self._decoder.rewrite_text(content, old, caption)
        return Change(file=file, before=content, after=after), _caption(old)

    def _decode(self, entry: Entry, content: bytes) -> SidecarText:
        text = self._decoder.decode(content, self._folder(entry))
        if text.encoding != "utf-8" and not text.unsure:
            self._encodings[entry.sidecar] = text.encoding
            self._converted.pop(entry.sidecar, None)
        elif self._encodings:
            self._encodings.pop(entry.sidecar, None)
        return text

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
