"""Plain PBM, PGM and PPM, whose values are text: turned into their binary forms, which Pillow reads fast.

Form: https://netpbm.sourceforge.net/doc/pnm.html
"""

from __future__ import annotations

import re
from typing import Final

from cutline.errors import PictureError

MAX_VALUES: Final = 32_000_000
_COMMENT: Final = re.compile(rb"#[^\r\n]*")
_BINARY: Final = {b"P1": b"P4", b"P2": b"P5", b"P3": b"P6"}


def to_binary(data: bytes, path: str, max_pixels: int) -> bytes:
    """The same picture in binary; what is not a plain one, or has more pixels, as it is.

    Raises:
        PictureError: ``too-large``.
        ValueError: it is damaged.
    """
    if data[:2] not in _BINARY:
        return data
    plain = _COMMENT.sub(b" ", data)
    magic = plain[:2]
    fields = plain[2:].split(maxsplit=2 if magic == b"P1" else 3)
    *head, body = fields if len(fields) == (3 if magic == b"P1" else 4) else (*fields, b"")
    try:
        width, height, most = (*map(int, head), 1) if magic == b"P1" else tuple(map(int, head))
    except ValueError:
        raise ValueError("no size in its header") from None
    if not (width > 0 and height > 0 and 0 < most < 65536):
        raise ValueError("a size or highest value that cannot be")
    if width * height > max_pixels:
        return data
    count = width * height * (3 if magic == b"P3" else 1)
    if count > MAX_VALUES:
        message = f"{path}: {count:,} values as text, at most {MAX_VALUES:,} are read; convert it to binary"
        raise PictureError("too-large", message)
    if magic == b"P1":
        return b"P4 %d %d\n%b" % (width, height, _bits(body, width, height))
    return b"%b %d %d %d\n%b" % (_BINARY[magic], width, height, most, _values(body, count, most))


def _bits(body: bytes, width: int, height: int) -> bytes:
    import numpy as np

    digits = np.frombuffer(b"".join(body.split())[: width * height], np.uint8) - ord("0")
    if len(digits) < width * height:
        raise ValueError("truncated")
    if digits.max(initial=0) > 1:
        raise ValueError("a value that is neither 0 nor 1")
    return np.packbits(digits.reshape(height, width), axis=1).tobytes()


def _values(body: bytes, count: int, most: int) -> bytes:
    import numpy as np

    try:
        values = np.fromstring(body, np.int64, sep=" ")[:count]
    except ValueError:
        raise ValueError("something else than numbers") from None
    if len(values) < count:
        raise ValueError("truncated")
    if values.min(initial=0) < 0 or values.max(initial=0) > most:
        raise ValueError("a value out of range")
    return values.astype(np.uint8 if most < 256 else ">u2").tobytes()
