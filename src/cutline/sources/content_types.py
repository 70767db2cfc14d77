"""What a file without a telling name is, by its first bytes; and which encoding a table's text has."""

from __future__ import annotations

import bz2
import codecs
import contextlib
import gzip
import io
import lzma
import re
import zlib
from typing import Any, BinaryIO

from cutline.errors import ConfigError
from cutline.sources.input_files import open_binary

MAX_TEXT = 4 * 1024 * 1024
"""Bytes of a table's text by which its encoding is detected."""
_HEAD = 64 * 1024
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_TAR_MAGIC = slice(257, 262)
USUAL = "utf-8-sig"


def unpacked(file: BinaryIO) -> BinaryIO:
    """The file, unpacked where its first bytes are those of gzip, bzip2 or xz; rewinds it."""
    head = file.read(6)
    file.seek(0)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    return file if opener is None else opener(file)


def table_type(path: str) -> str:
    """The ending that a table's content should have had, ``tar`` of a tar, empty for anything else."""
    with (
        contextlib.suppress(ConfigError, OSError, EOFError, zlib.error, lzma.LZMAError),
        open_binary(path) as file,
    ):
        head = unpacked(file).read(_HEAD)
        if head.startswith(b"PAR1"):
            return "parquet"
        if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
            return "arrow"
        if head[_TAR_MAGIC] == b"ustar":
            return "tar"
        return _text_type(head)
    return ""


def _text_type(head: bytes) -> str:
    if _NOT_TEXT.search(head) and not head.startswith(tuple(mark for mark, _ in _MARKS)):
        return ""
    text = head.decode(text_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")
    first = text.partition("\n")[0]
    if first.startswith("{"):
        return "jsonl" if first.rstrip().endswith("}") or len(first) > _HEAD // 2 else "json"
    if text.startswith("["):
        return "json"
    return "csv" if any(sign in first for sign in ",;\t|") else ""


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
    """UTF-16 without a mark, whose line ends may lie on either byte."""
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
