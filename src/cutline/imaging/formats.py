"""Image formats, detected by the first bytes and never by the file's name."""

from __future__ import annotations

import functools
import importlib.util

EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "tif", "tiff", "bmp", "ico"),
        *("avif", "avifs", "heic", "heics", "heif", "heifs", "hif", "ppm", "pgm", "pbm", "pnm"),
    )
)
"""Lower-case extensions, without the dot, of files that are worth opening as pictures."""

OTHER_PICTURES = frozenset(
    (
        *("jxl", "jp2", "j2k", "jpf", "jpx", "jpm", "j2c", "jxr", "wdp", "tga", "targa", "psd", "psb", "xcf"),
        *("svg", "svgz", "eps", "ai", "wmf", "emf", "exr", "hdr", "dds", "qoi", "pcx", "sgi", "ras", "xpm"),
        *("xbm", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef", "srw", "raw", "dcm", "fits"),
    )
)
"""Extensions of pictures in formats that cannot be opened."""

OTHER_FORMATS = frozenset(
    (
        *("Canon raw", "Fujifilm raw", "PSD", "EPS", "JPEG XL", "JPEG 2000", "QOI", "XPM", "DDS", "OpenEXR"),
        *("SGI", "SVG", "HEIF"),
    )
)
"""Names of ``sniff_format`` for pictures that cannot be opened, or not without an extra."""

MIMES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "AVIF": "image/avif",
    "HEIF": "image/heif",
    "ICO": "image/x-icon",
    "PPM": "image/x-portable-anymap",
}
"""The media type of every format that can be opened."""

LFS_MAGIC = b"version https://git-lfs.github.com/spec/"
"""How a pointer file begins that Git LFS leaves where the content was not downloaded."""

LFS_CURE = "get the files with `git lfs pull` in that folder, then run again"
_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0\x10\0\0\0CR", "Canon raw"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"BM", "BMP"),
    (b"8BPS", "PSD"),
    (b"%PDF-", "PDF"),
    (b"%!PS", "EPS"),
    (b"\xc5\xd0\xd3\xc6", "EPS"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"qoif", "QOI"),
    (b"/* XPM", "XPM"),
    (b"DDS ", "DDS"),
    (b"v/1\x01", "OpenEXR"),
    (b"\x01\xda", "SGI"),
    (b"FUJIFILMCCD-RAW", "Fujifilm raw"),
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x1f\x8b", "gzip (perhaps SVGZ)"),
    (b"PK\x03\x04", "ZIP"),
    (b"\x1a\x45\xdf\xa3", "WebM video"),
    (LFS_MAGIC, "Git LFS pointer"),
)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
)


def sniff_format(data: bytes) -> str | None:
    """The format's name by its first bytes: Pillow's where it can be opened, else a readable one.

    None when they are no known format. ``MIMES`` holds those that can be opened.
    """
    for magic, name in _MAGIC:
        if data.startswith(magic):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _sniff_container(data)
    if data.startswith(b"\0\0\1\0") and data[4:6] != b"\0\0":
        return "ICO"
    if len(data) > 3 and data[0:1] == b"P" and data[1:2] in b"123456" and data[2:3].isspace():
        return "PPM"
    return _sniff_text(data)


def _sniff_container(data: bytes) -> str:
    """The format of an ISO media container by its brands, the major one first."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    brands = [data[8:12], *(data[at : at + 4] for at in range(16, size, 4))]
    for brand in brands:
        if brand in _AVIF_BRANDS:
            return "AVIF"
    return "HEIF" if any(brand in _HEIF_BRANDS for brand in brands) else "MP4 video"


def _sniff_text(data: bytes) -> str | None:
    if data[257:262] == b"ustar":
        return "tar"
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head.startswith(b"<"):
        return None
    if b"<svg" in head or b"svg 1" in head:
        return "SVG"
    return "HTML" if b"<html" in head or head.startswith(b"<!doctype html") else "XML"


@functools.cache
def can_open_heic() -> bool:
    """Whether the library that decodes HEIC and HEIF (the extra ``heic``) is installed."""
    return importlib.util.find_spec("pillow_heif") is not None
