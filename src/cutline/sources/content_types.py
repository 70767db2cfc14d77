"""What a file without a telling name is, by its first bytes."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import re
import zlib
from typing import Any, BinaryIO

from cutline.errors import ConfigError
from cutline.sidecars.table_text import WIDE_MARKS, text_encoding
from cutline.sources.input_files import open_binary

HEAD = 64 * 1024
_OPENERS: dict[bytes, Any] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}
_NOT_TEXT = re.compile(rb"[\0-\x08\x0e-\x1a\x1c-\x1f]")
_TAR_MAGIC = slice(257, 262)


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
        return type_of_bytes(unpacked(file).read(HEAD))
    return ""


def type_of_bytes(head: bytes) -> str:
    """As ``table_type``, by the first bytes, which are not unpacked."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"\xff\xff\xff\xff")):
        return "arrow"
    if head[_TAR_MAGIC] == b"ustar":
        return "tar"
    return _text_type(head)


def _text_type(head: bytes) -> str:
    if _NOT_TEXT.search(head) and not head.startswith(WIDE_MARKS):
        return ""
    text = head.decode(text_encoding(head), errors="replace").lstrip("\ufeff \t\r\n")
    first = text.partition("\n")[0]
    if first.startswith("{"):
        return "jsonl" if first.rstrip().endswith("}") or len(first) > HEAD // 2 else "json"
    if text.startswith("["):
        return "json"
    return "csv" if any(sign in first for sign in ",;\t|") else ""
