"""Files of rows, also compressed ones, and what is lost where one of them is damaged."""

from __future__ import annotations

import gzip
import io
import lzma
import zlib
from typing import Any, BinaryIO, Final, cast

from cutline.formatting import one_line
from cutline.sidecars.table_text import text_file
from cutline.sources.content_types import unpacked
from cutline.sources.input_files import open_binary
from cutline.sources.rows import BadRow

DAMAGE: Final = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile)
"""What is raised in the midst of a compressed file that is cut or damaged."""


def damaged_rest(error: Exception) -> BadRow:
    """The row that stands for all that follow."""
    return BadRow(f"damaged, the rest of the file is lost: {one_line(error)}", kind="damaged-shard")


class _Unpacked(io.BufferedReader):
    """An unpacked file, which closes the packed one too."""

    def __init__(self, unpacked: Any, packed: BinaryIO) -> None:
        super().__init__(unpacked)
        self._packed = packed

    def close(self) -> None:
        super().close()
        self._packed.close()


def open_packed(path: str) -> BinaryIO:
    """The file unpacked, by its first bytes; raises as ``open_binary``."""
    file = open_binary(path)
    inner = unpacked(file)
    return file if inner is file else cast("BinaryIO", _Unpacked(inner, file))


def open_packed_text(path: str, encoding: str | None) -> io.TextIOWrapper:
    return text_file(open_packed(path), encoding)
