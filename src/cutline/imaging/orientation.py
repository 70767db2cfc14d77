"""How a picture has to be turned, from EXIF (TIFF 6.0 structure, tag 274) or XMP (tiff:Orientation).

Pillow's own reader warns and raises for many a harmless damage in metadata; a picture is not lost
over that here: what cannot be read counts as upright.
"""

from __future__ import annotations

import re
import struct

_TAG = 0x0112
_PREFIX = b"Exif\0\0"
_XMP = re.compile(rb"""tiff:Orientation(?:\s*=\s*["']|\s*>\s*)([1-8])\b""")


def exif_orientation(exif: bytes) -> int | None:
    """The value 1 to 8 of the first directory; None when there is none, or it makes no sense."""
    while exif.startswith(_PREFIX):
        exif = exif[len(_PREFIX) :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "L", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for tag, kind, number, value in struct.iter_unpack(
            order + "HHL4s", exif[start + 2 : start + 2 + min(count, (len(exif) - start - 2) // 12) * 12]
        ):
            if tag == _TAG:
                return _value(order, kind, number, value)
    except struct.error:
        pass
    return None


def _value(order: str, kind: int, number: int, value: bytes) -> int | None:
    code = {1: "B", 3: "H", 4: "L"}.get(kind)
    if code is None or number < 1:
        return None
    found = struct.unpack_from(order + code, value)[0]
    return found if 1 <= found <= 8 else None


def xmp_orientation(xmp: bytes) -> int | None:
    """The value 1 to 8 of ``tiff:Orientation`` in an XMP packet, as attribute or element."""
    match = _XMP.search(xmp)
    return int(match[1]) if match else None
