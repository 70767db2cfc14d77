"""The encoding of a table's text: what people's spreadsheets write is not always UTF-8."""

from __future__ import annotations

import codecs
import contextlib
import io
import lzma
import zlib
from typing import BinaryIO, Final

MAX_TEXT: Final = 4 * 1024 * 1024
"""Bytes of a table's text by which its encoding is detected."""
USUAL: Final = "utf-8-sig"
_HEAD: Final = 64 * 1024
_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE_MARKS: Final = tuple(mark for mark, _ in _MARKS)


def text_encoding(data: bytes, named: str | None = None) -> str:
    """The codec of a text that begins with ``data``: by its mark, UTF-8, ``named``, or as is detected."""
    marked = next((name for mark, name in _MARKS if data.startswith(mark)), None)
    if marked is not None:
        return marked
    try:
        codecs.getincrementaldecoder("utf-8")().decode(data)
    except UnicodeDecodeError:
        pass
    else:
        if b"\0" not in data:
            return USUAL
    if named is not None:
        return named
    from cutline.sidecars.detection import detect  # most texts are UTF-8

    return detect([data[: data.rfind(b"\n") + 1] or data]) or _wide(data) or USUAL


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark, whose line ends may be on either byte."""
    from cutline.sidecars.detection import detect

    return detect([data[: len(data) // 4 * 4]]) if b"\0" in data else None


def beginning(file: BinaryIO) -> bytes:
    """What can be read of the first ``MAX_TEXT`` bytes; rewinds the file."""
    data = b""
    with contextlib.suppress(OSError, EOFError, zlib.error, lzma.LZMAError):
        while len(data) < MAX_TEXT and (chunk := file.read(_HEAD)):
            data += chunk
    file.seek(0)
    return data


def text_file(file: BinaryIO, named: str | None = None) -> io.TextIOWrapper:
    """The text of a table; bytes that are not of its encoding are kept as surrogates, where it is UTF-8."""
    encoding = text_encoding(beginning(file), named)
    errors = "surrogateescape" if encoding == USUAL else "replace"
    return io.TextIOWrapper(file, encoding=encoding, errors=errors, newline="")


def as_utf8(data: bytes) -> bytes:
    """A whole text as UTF-8; unchanged where it is not text."""
    encoding = text_encoding(data[:MAX_TEXT])
    return data if encoding == USUAL else data.decode(encoding, "replace").encode()
