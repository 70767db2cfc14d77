"""Encodings, line ends and byte-order marks of sidecars: read whatever they are, kept when rewritten."""

from __future__ import annotations

import codecs
import dataclasses
import re
from typing import Final

from cutline.errors import PictureError, SampleError
from cutline.regular_files import read_regular

MAX_BYTES: Final = 1024 * 1024
"""Larger text files are not read."""
MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARK_STARTS: Final = {mark[:1] for mark, _ in MARKS}
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
_END: Final = re.compile(r"[\r\n]*\Z")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SidecarText:
    """The content of a text file, and the form that it keeps when its caption is replaced.

    ``text`` is all behind the byte-order mark ``mark``. ``newline`` is the line break of every line; empty
    where there is none, or where they differ. ``detected``: ``encoding`` is what the evidence shows.
    ``unsure``: no encoding is certain, and ``text`` is Latin-1, which can read any bytes: not to be used.
    ``damaged``: bytes that cannot be decoded were replaced by U+FFFD.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    newline: str = ""
    detected: bool = False
    unsure: bool = False
    damaged: bool = False

    @property
    def caption(self) -> str:
        """The text without surrounding blanks and line breaks."""
        return self.text.strip()

    def encode(self) -> bytes:
        """The file's bytes; those that were decoded, unless ``damaged``. UnicodeEncodeError."""
        text = _LINE_BREAK.sub(self.newline, self.text) if self.newline else self.text
        return self.mark + text.encode(self.encoding)

    def with_caption(self, caption: str) -> SidecarText:
        """The same form with another caption: encoding, mark, line breaks, and those at the end.

        UTF-8 where the encoding lacks a character or is not known, or would be taken for another one.
        """
        end = _END.search(self.text)
        text = caption.lstrip("\ufeff") + (end[0] if end else "")
        same = dataclasses.replace(self, text=text, damaged=False)
        if not self.unsure:
            try:
                if self.mark or _is_unambiguous(same.encode(), self.encoding):
                    return same
            except UnicodeEncodeError:
                pass
        return SidecarText(text=text, newline=self.newline)


def decode(data: bytes) -> SidecarText:
    """Decode by the byte-order mark, else as UTF-8; ``unsure`` where it is neither."""
    mark, encoding = next((found for found in MARKS if data.startswith(found[0])), (b"", "utf-8"))
    body = data[len(mark) :]
    unsure = damaged = False
    try:
        text = body.decode(encoding)
        unsure = not mark and "\0" in text  # UTF-16, or no text at all
    except UnicodeDecodeError:
        text, damaged, unsure = body.decode(encoding, errors="replace"), bool(mark), not mark
    if unsure:
        text, encoding = body.decode("latin-1"), "latin-1"
    return form_of(text, encoding=encoding, mark=mark, unsure=unsure, damaged=damaged)


def form_of(text: str, *, encoding: str, mark: bytes = b"", **flags: bool) -> SidecarText:
    """A decoded text with its line break."""
    return SidecarText(text=text, encoding=encoding, mark=mark, newline=_newline(text), **flags)


def decode_text(data: bytes) -> str:
    """The text of ``decode``, Latin-1 where it is unsure; fast for plain UTF-8."""
    if data[:1] not in _MARK_STARTS:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return decode(data).text


def read(file: str) -> bytes | None:
    """The bytes of a text file; None where there is none. SampleError ``sidecar``: it cannot be read."""
    try:
        return read_regular(file, MAX_BYTES)
    except PictureError as error:
        if error.kind == "missing":
            return None
        raise SampleError("sidecar", f"the caption beside the picture: {error}") from error


def _newline(text: str) -> str:
    found = set(_LINE_BREAK.findall(text))
    return found.pop() if len(found) == 1 else ""


def _is_unambiguous(data: bytes, encoding: str) -> bool:
    """Whether the bytes, without a mark, are not taken for another encoding than theirs."""
    found = decode(data)
    if encoding == "utf-8":
        return not found.unsure and not found.mark
    return not found.mark and (found.unsure or data.isascii())
