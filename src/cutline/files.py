"""Files that are whole or not there: atomic writes, and names that survive any encoding."""

from __future__ import annotations

import os
import re
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` so that a reader, or a crash, sees the old or the new file, whole.

    Raises:
        OSError: the folder is read-only or the disk is full; the old file is untouched.
    """
    # The name is cut by bytes: with what is added it must stay within the file system's 255.
    short = os.fsencode(path.name)[:200].decode("ascii", "replace").replace("�", "_")
    part = path.with_name(f".{short}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


_ESCAPED = re.compile("�([0-9A-F]{2})")


def name_to_text(name: str) -> str:
    """A file name as valid Unicode: each byte that is not UTF-8 becomes U+FFFD and two hex digits.

    JSON, Parquet and tar headers must hold UTF-8; file names need not. ``text_to_name`` undoes it.
    """
    if name.isascii():
        return name
    return "".join(f"�{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in name)


def text_to_name(text: str) -> str:
    """The inverse of ``name_to_text``, for names on this file system."""
    if text.isascii():
        return text
    return _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), text)
