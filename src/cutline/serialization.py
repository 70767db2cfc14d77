"""JSON encoding of arbitrary values, and decoding of JSON objects that others wrote."""

from __future__ import annotations

import base64
import dataclasses
import json
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import orjson

from cutline.errors import PictureError
from cutline.files import name_to_text
from cutline.records import JSON
from cutline.regular_files import read_regular

MAX_OBJECT_BYTES = 256 * 1024 * 1024
_T = TypeVar("_T")
_BOM = b"\xef\xbb\xbf"
_SURROGATES = re.compile("[\ud800-\udfff]")
_COMPACT = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
_INDENTED = _COMPACT | orjson.OPT_INDENT_2


def encode_json(value: Any, *, indent: bool = False) -> bytes:
    """``value`` as UTF-8 JSON without a trailing newline.

    Dataclasses are objects, integers of any size are kept; NaN and infinities become null, dates ISO 8601,
    bytes base64, undecodable bytes of file names text by ``name_to_text``, and values of any other type their
    ``str``.
    """
    try:
        return orjson.dumps(value, option=_INDENTED if indent else _COMPACT)
    except TypeError:
        encoded = json.dumps(
            _plain(value),
            ensure_ascii=False,
            allow_nan=False,
            indent=2 if indent else None,
            separators=(",", ": " if indent else ":"),
        )
        return encoded.encode()


def decode_json(data: bytes) -> Any:
    """The value in ``data``, with or without a byte-order mark.

    Raises:
        orjson.JSONDecodeError: invalid JSON; a ValueError.
    """
    return orjson.loads(data.removeprefix(_BOM))


def decode_foreign_json(data: bytes) -> Any:
    """As ``decode_json``, also with halves of surrogate pairs, as some programs write; they become U+FFFD."""
    try:
        return decode_json(data)
    except orjson.JSONDecodeError:
        if b"\\u" not in data:
            raise
        try:
            return _whole(json.loads(data.removeprefix(_BOM)))
        except (ValueError, RecursionError):
            pass
        raise


def _whole(value: Any) -> Any:
    """A decoded value with whole characters only."""
    if isinstance(value, str):
        return _SURROGATES.sub("\ufffd", value)
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return {_whole(key): _whole(one) for key, one in value.items()} if isinstance(value, dict) else value


def decode_object(data: bytes) -> JSON | None:
    """As ``decode_json``; None for invalid JSON and for anything but an object."""
    try:
        value = decode_json(data)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def read_object(path: Path) -> JSON | None:
    """The JSON object in a small file; None where there is none, or the file is anything else.

    Files of a state folder are read as a stranger's: one can be empty, cut, another file or a folder.
    """
    try:
        return decode_object(read_regular(os.fspath(path), MAX_OBJECT_BYTES))
    except PictureError:
        return None


def checked(value: Any, wanted: type[_T]) -> _T:
    """The value of a file that may be damaged; raises TypeError where it is of another type."""
    if not isinstance(value, wanted):
        raise TypeError(f"{type(value).__name__} where {wanted.__name__} is needed")
    return value


def valid_unicode(text: str) -> str:
    """``text`` without surrogates: undecodable bytes by ``name_to_text``, other surrogates as U+FFFD."""
    if text.isascii():
        return text
    return _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", name_to_text(text))


def _plain(value: Any) -> Any:
    """The slow path, for values that orjson rejects."""
    if isinstance(value, Mapping):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = (field.name for field in dataclasses.fields(value))
        return {name: _plain(getattr(value, name)) for name in names if not name.startswith("_")}
    return value if value is None or isinstance(value, bool | int) else _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return valid_unicode(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    try:
        return orjson.loads(orjson.dumps(value, option=_COMPACT))
    except TypeError:
        return valid_unicode(str(value))


def _key(key: Any) -> str:
    plain = _plain(key)
    return plain if isinstance(plain, str) else json.dumps(plain)
