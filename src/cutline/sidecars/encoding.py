"""Encodings, line ends and byte-order marks of sidecars: read whatever they are, kept when rewritten."""

from __future__ import annotations

import codecs
import dataclasses
import re
from collections import Counter
from typing import Final

from cutline.errors import PictureError, SampleError
from cutline.files import name_to_text, read_regular
from cutline.formatting import plural

MAX_BYTES: Final = 1024 * 1024
"""Larger text files are not read."""
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # begins as that of UTF-16 does
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MARK_STARTS: Final = {mark[:1] for mark, _ in _MARKS}
_LINE_BREAK: Final = re.compile(r"\r\n|\r|\n")
_END: Final = re.compile(r"[\r\n]*\Z")
_NAMED: Final = 3
_REMARKS: Final = {
    "edited": "edited by hand left as they are (one that is deleted or emptied is captioned again)",
    "guessed": "not in UTF-8, read as Latin-1 (save as UTF-8 if accents are wrong)",
    "damaged": "damaged, read with U+FFFD for what cannot be decoded",
    "converted": "rewritten as UTF-8, as the new caption has characters that Latin-1 lacks",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SidecarText:
    """The content of a text file, and the form that it keeps when its caption is replaced.

    ``text`` is all behind the byte-order mark ``mark``. ``newline`` is the line break of every line; empty
    where there is none, or where they differ. ``guessed``: no valid UTF-8, so Latin-1 was assumed, which can
    read any bytes. ``damaged``: bytes that cannot be decoded were replaced by U+FFFD.
    """

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""
    newline: str = ""
    guessed: bool = False
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

        UTF-8 without a mark where the encoding lacks a character, or would be taken for another one.
        """
        end = _END.search(self.text)
        text = caption.lstrip("\ufeff") + (end[0] if end else "")
        same = dataclasses.replace(self, text=text, damaged=False)
        try:
            if _lines(decode(same.encode()).text) == _lines(text):
                return same
        except UnicodeEncodeError:
            pass
        return SidecarText(text=text, newline=self.newline)


def decode(data: bytes) -> SidecarText:
    """Decode by the byte-order mark; else as UTF-8, else as Latin-1."""
    mark, encoding = next((found for found in _MARKS if data.startswith(found[0])), (b"", "utf-8"))
    body = data[len(mark) :]
    guessed = damaged = False
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError:
        if encoding == "utf-8":
            text, encoding, guessed = body.decode("latin-1"), "latin-1", True
        else:
            text, damaged = body.decode(encoding, errors="replace"), True
    return SidecarText(
        text=text, encoding=encoding, mark=mark, newline=_newline(text), guessed=guessed, damaged=damaged
    )


def decode_text(data: bytes) -> str:
    """The text of ``decode``; fast for plain UTF-8."""
    if data[:1] not in _MARK_STARTS:
        try:
            return data.decode()
        except UnicodeDecodeError:
            pass
    return decode(data).text


def rewrite(before: bytes | None, caption: str) -> bytes:
    """The bytes that put ``caption`` in place of ``before``'s; ``before`` itself where it is the same.

    A new file, ``before`` None, is UTF-8 without a mark and without a line break at the end.
    """
    if before is None:
        return caption.encode()
    old = decode(before)
    return before if old.caption == caption else old.with_caption(caption).encode()


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


def _lines(text: str) -> list[str]:
    return _LINE_BREAK.split(text)


class EncodingReport:
    """Counts files whose encoding a user should know of, and names the first of them."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}
        self._counts: Counter[str] = Counter()

    def clear(self) -> None:
        self._names.clear()
        self._counts.clear()

    def note_read(self, name: str, text: SidecarText) -> None:
        if text.guessed or text.damaged:
            self._note("guessed" if text.guessed else "damaged", name)

    def note_edited(self, name: str) -> None:
        self._note("edited", name)

    def note_rewritten(self, name: str, before: bytes, after: bytes) -> None:
        if not after.isascii() and decode(before).encoding != decode(after).encoding:
            self._note("converted", name)

    def _note(self, what: str, name: str) -> None:
        self._counts[what] += 1
        names = self._names.setdefault(what, [])
        if len(names) < _NAMED:
            names.append(name_to_text(name))

    def lines(self) -> list[str]:
        """One line for each kind of file that was noted."""
        return [
            f"{plural(count, 'text file')} {_REMARKS[what]}: {', '.join(self._names[what])}"
            f"{', …' if count > _NAMED else ''}"
            for what, count in self._counts.items()
        ]
