"""Headers of JPEG, PNG and WebP, parsed without decoding and without Pillow.

The parsers are strict: anything unusual gives None, and the picture goes through the decoder. Only a file
that was understood whole is sent as it is.
"""

from __future__ import annotations

import dataclasses
import zlib

from cutline.imaging.orientation import exif_orientation, xmp_orientation


class _UnusualError(Exception):
    """The structure holds something that the strict readers leave to the decoder."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """``width`` and ``height`` are as stored, before ``orientation`` is applied.

    ``plain``: whole to the last byte, one frame, 8 bits a channel, RGB or grey, no alpha. Of JPEG
    only: ``grey``; ``buffered``, of several scans, so that a decoder must hold all coefficients at
    once; ``scans``, the offset of the first scan.
    """

    format: str
    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    plain: bool = True
    grey: bool = False
    buffered: bool = False
    scans: int = 0

    @property
    def upright(self) -> tuple[int, int]:
        """Width and height after the orientation is applied."""
        return (self.height, self.width) if self.orientation > 4 else (self.width, self.height)


def read_header(data: bytes) -> Header | None:
    """The header of a well-formed JPEG, PNG or WebP; None for all else."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _read_jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _read_png(data)
        if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
            return _read_webp(data)
    except _UnusualError:
        pass
    return None


# Frame headers: baseline, extended sequential, progressive; all with Huffman coding.
_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
# What else may come before the first scan: tables, comments and applications' data.
_BEFORE_SCAN = _FRAMES | {0xC4, 0xDB, 0xDD, 0xFE, *range(0xE0, 0xF0)}
_SCAN = 0xDA
# Sampling factors of the first component while the others have 1x1: 4:4:4, 4:2:2, 4:4:0, 4:2:0.
_SAMPLINGS = frozenset({0x11, 0x21, 0x12, 0x22})


def _read_jpeg(data: bytes) -> Header:
    """ITU-T T.81, annex B; the segments from the start of the image to its first scan."""
    segments = _segments(data)
    frames = [segment for segment in segments if segment[0] in _FRAMES]
    if len(frames) != 1:
        raise _UnusualError
    marker, start, end = frames[0]
    height, width, components = _read_frame(data[start:end])
    orientation, several = _read_applications(data, segments)
    scan = segments[-1][1]
    return Header(
        format="JPEG",
        width=width,
        height=height,
        orientation=orientation,
        plain=not several and data.endswith(b"\xff\xd9"),
        grey=components == 1,
        buffered=marker == 0xC2 or data[scan] != components,
        scans=scan,
    )


def _segments(data: bytes) -> list[tuple[int, int, int]]:
    """Marker, start and end of each segment's content, the first scan being the last of them."""
    found = []
    at, last = 2, len(data) - 6
    while at < last and data[at] == 0xFF:
        marker = data[at + 1]
        size = data[at + 2] << 8 | data[at + 3]
        found.append((marker, at + 4, at + 2 + size))
        if marker == _SCAN:
            return found
        if marker not in _BEFORE_SCAN or size < 2:
            break
        at += 2 + size
    raise _UnusualError


def _read_frame(segment: bytes) -> tuple[int, int, int]:
    """Height, width, components of a frame of 8 bits, grey or YCbCr with common sampling."""
    if len(segment) not in {9, 15} or segment[0] != 8 or len(segment) != 6 + 3 * segment[5]:
        raise _UnusualError
    height, width = segment[1] << 8 | segment[2], segment[3] << 8 | segment[4]
    if not (height and width):
        raise _UnusualError
    if segment[5] == 3 and not (
        segment[7] in _SAMPLINGS and segment[10] == segment[13] == 0x11 and segment[6:13:3] != b"RGB"
    ):
        raise _UnusualError
    return height, width, segment[5]


def _read_applications(data: bytes, segments: list[tuple[int, int, int]]) -> tuple[int, bool]:
    """The orientation, and whether further pictures follow the first."""
    exif = xmp = None
    several = False
    for marker, start, end in segments:
        if marker == 0xE1 and data.startswith(b"Exif\0\0", start):
            if exif is not None:
                raise _UnusualError
            exif = data[start:end]
        elif marker == 0xE1 and data.find(b"tiff:Orientation", start, end) >= 0:
            xmp = data[start:end]
        elif marker == 0xE2 and data.startswith(b"MPF\0", start):
            several = True
        elif marker == 0xEE and data.startswith(b"Adobe", start) and data[start + 11] != 1:
            raise _UnusualError  # RGB or CMYK
    orientation = exif_orientation(exif) if exif else None
    if orientation is None and xmp:
        orientation = xmp_orientation(xmp)
    return orientation or 1, several


def _read_png(data: bytes) -> Header:
    """PNG specification, third edition."""
    if data[8:16] != b"\0\0\0\rIHDR" or len(data) < 57:
        raise _UnusualError
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    depth, colour, compression, filtering, interlace = data[24:29]
    if not (width and height) or compression or filtering or interlace > 1:
        raise _UnusualError
    chunks = _chunks(data)
    frames = chunks.get(b"acTL", b"\0\0\0\1")[:4]
    return Header(
        format="PNG",
        width=width,
        height=height,
        orientation=exif_orientation(chunks.get(b"eXIf", b"")) or 1,
        frames=max(1, int.from_bytes(frames, "big")),
        plain=depth == 8 and colour in {0, 2, 3} and not chunks.keys() & {b"acTL", b"tRNS"},
    )


MAX_CHUNKS = 10_000
"""Chunks that any PNG may have, beside one for each kilobyte."""


def has_too_many_chunks(data: bytes) -> bool:
    """Whether a PNG is mostly the heads of chunks; those that hold pixels have kilobytes each."""
    at, end, left = 8, len(data), MAX_CHUNKS + len(data) // 1024
    while at + 12 <= end:
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        left -= 1
        if left < 0:
            return True
    return False


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The kinds of chunk in a whole PNG, with the content of eXIf and acTL.

    All check sums are checked: 0.15 ms a megabyte, where decoding takes 20.
    """
    found: dict[bytes, bytes] = {}
    view = memoryview(data)
    at, end, left = 8, len(data), MAX_CHUNKS + len(data) // 1024
    while at + 12 <= end:
        left -= 1
        if left < 0:
            raise _UnusualError  # refused where it is opened
        size, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        start = at + 8
        if zlib.crc32(view[at + 4 : start + size]) != int.from_bytes(
            data[start + size : start + size + 4], "big"
        ):
            raise _UnusualError
        found[kind] = data[start : start + size] if kind in {b"eXIf", b"acTL"} else b""
        if kind in {b"iTXt", b"zTXt", b"tEXt"} and data.startswith((b"XML:com", b"Raw profile"), start):
            break  # an orientation may be there too, packed
        at = start + size + 4
    if at != end or kind != b"IEND" or b"IDAT" not in found:
        raise _UnusualError
    return found


def _read_webp(data: bytes) -> Header:
    """WebP container specification (RFC 9649)."""
    if int.from_bytes(data[4:8], "little") + 8 != len(data):
        raise _UnusualError
    if data[12:16] == b"VP8X" and len(data) > 30:
        return _read_extended_webp(data)
    width, height, plain = _read_webp_frame(data, 12)
    return Header(format="WEBP", width=width, height=height, plain=plain)


def _read_webp_frame(data: bytes, at: int) -> tuple[int, int, bool]:
    """Width, height and opacity of the frame in the chunk at ``at``: VP8 (RFC 6386) or VP8L."""
    kind, start = data[at : at + 4], at + 8
    size = int.from_bytes(data[at + 4 : start], "little")
    if size < 10 or start + size > len(data):
        raise _UnusualError
    if kind == b"VP8 " and not data[start] & 1 and data[start + 3 : start + 6] == b"\x9d\x01\x2a":
        width = int.from_bytes(data[start + 6 : start + 8], "little") & 0x3FFF
        height = int.from_bytes(data[start + 8 : start + 10], "little") & 0x3FFF
        if width and height:
            return width, height, True
    if kind == b"VP8L" and data[start] == 0x2F:
        bits = int.from_bytes(data[start + 1 : start + 5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, not bits >> 28 & 1
    raise _UnusualError


def _read_extended_webp(data: bytes) -> Header:
    width, height = (int.from_bytes(data[at : at + 3], "little") + 1 for at in (24, 27))
    plain = not data[20] & 0b0001_0010  # neither alpha nor animation
    found: dict[bytes, bytes] = {}
    frames, at, end = 0, 12, len(data)
    while at + 8 <= end:
        kind, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        found[kind] = data[at + 8 : at + 8 + size] if kind in {b"EXIF", b"XMP "} else b""
        frames += kind == b"ANMF"
        if kind in {b"VP8 ", b"VP8L"}:
            stored = _read_webp_frame(data, at)
            if stored[:2] != (width, height):
                raise _UnusualError
            plain = plain and stored[2]
        at += 8 + size + (size & 1)
    still = bool(found.keys() & {b"VP8 ", b"VP8L"})
    if at != end or not (still or frames):
        raise _UnusualError
    orientation = exif_orientation(found.get(b"EXIF", b"")) or xmp_orientation(found.get(b"XMP ", b""))
    return Header(
        format="WEBP",
        width=width,
        height=height,
        orientation=orientation or 1,
        frames=max(1, frames),
        plain=plain and still and b"ALPH" not in found,
    )
