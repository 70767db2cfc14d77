"""What a table's cell has of a picture: bytes, a path or URL, several of them, or something else."""

from __future__ import annotations

import base64
import binascii
import urllib.parse
from typing import Any

from cutline.sources.unknown_files import is_picture, sniff_bytes
from cutline.storage import is_http, is_remote

_BYTES = ("bytes", "data", "content", "b64", "base64")
_NAMES = ("path", "url", "src", "uri", "image_url", "file_name", "filename", "file", "image")
_MIN_BASE64 = 100
_HEAD = 96  # characters, of three bytes for four
_SHOWN = 30  # characters of a cell in messages
_MAX_PATH = 4096  # of file systems


class DamagedPicture(TypeError):
    """A cell begins as a picture in base64 and cannot be decoded."""


def is_several(cell: Any) -> bool:
    """Whether a cell is a list of pictures, paths or URLs, not of numbers such as pixels."""
    return isinstance(cell, list) and any(isinstance(each, str | bytes | dict) for each in cell)


def bytes_and_name(cell: Any) -> tuple[bytes | None, str | None]:
    """The picture's bytes, and its name, path or URL; TypeError with the reason for what is neither.

    Both None where there is nothing.
    """
    if isinstance(cell, dict):
        data = next((cell[name] for name in _BYTES if cell.get(name)), None)
        name = next((cell[name] for name in _NAMES if cell.get(name)), None)
        if data is None and name is None and any(value is not None for value in cell.values()):
            fields = ", ".join(map(repr, list(cell)[:10]))
            raise TypeError(f"an object without bytes, path or url; its fields are {fields}")
        inner = bytes_and_name(data)[0] if data is not None else None
        if isinstance(name, dict) or (inner is None and isinstance(name, str)):
            return bytes_and_name(name)  # a data: URL may be the name
        return inner, name if isinstance(name, str) else None
    if isinstance(cell, bytes):
        return cell or None, None
    if isinstance(cell, str):
        cell = cell.strip()
        data = text_bytes(cell)
        if data is None and _is_damaged_picture(cell):
            raise DamagedPicture(f"a picture in base64 that is damaged ({cell[:_SHOWN]}…)")
        if data is None and (cell[:5].lower() == "data:" or (len(cell) > _MAX_PATH and not is_http(cell))):
            raise _other(f"a text of {len(cell):,} characters that is not a picture in base64", cell)
        return (data, None) if data is not None else (None, cell or None)
    if isinstance(cell, list):
        return _bytes_in(cell), None
    if cell is None or cell != cell:  # noqa: PLR0124 - not a number, as pandas writes what is missing
        return None, None
    kind = {bool: "true or false", int: "a number", float: "a number"}.get(type(cell))
    raise _other(kind or type(cell).__name__, cell)


def holds_picture(cell: Any) -> bool:
    """Whether a cell is an object with a picture's bytes, path or URL."""
    return isinstance(cell, dict) and any(cell.get(name) for name in (*_BYTES, *_NAMES))


def is_elsewhere(cell: Any) -> bool:
    """Whether a cell has a picture in itself, or a URL, rather than the path of a file."""
    try:
        data, name = bytes_and_name(cell)
    except TypeError as error:
        return isinstance(error, DamagedPicture)
    return data is not None or (name is not None and is_remote(name))


def _bytes_in(cell: list[Any]) -> bytes | None:
    """The bytes of a picture that stand as numbers; None for an empty list."""
    if not cell:
        return None
    try:
        data = bytes(cell)
    except (TypeError, ValueError):
        data = b""
    if not is_picture(sniff_bytes(data)):
        raise _other("a list", cell)
    return data


def _other(kind: str, cell: Any) -> TypeError:
    text = str(cell)
    shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
    return TypeError(f"{kind} ({shown}) where a path, URL or picture should be")


def text_bytes(text: str) -> bytes | None:
    """The bytes of a ``data:`` URL or of a picture in base64; None for any other text."""
    try:
        if text[:5].lower() == "data:":
            head, comma, body = text.partition(",")
            if not comma:
                return None
            coded = head.lower().endswith(";base64")
            return _decoded(body) if coded else urllib.parse.unquote_to_bytes(body)
        if len(text) >= _MIN_BASE64 and _begins_as_picture(text):
            data = _decoded(text)
            return data if is_picture(sniff_bytes(data)) else None
    except (binascii.Error, ValueError):
        pass
    return None


def _is_damaged_picture(text: str) -> bool:
    """Whether a text that is no base64 begins as that of a picture."""
    try:
        return len(text) >= _MIN_BASE64 and _begins_as_picture(text)
    except (binascii.Error, ValueError):
        return False


def _begins_as_picture(text: str) -> bool:
    return is_picture(sniff_bytes(_decoded("".join(text[: 2 * _HEAD].split())[:_HEAD])))


def _decoded(text: str) -> bytes:
    text = "".join(text.split()).replace("-", "+").replace("_", "/")
    return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
