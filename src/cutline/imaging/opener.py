"""Opens bytes with Pillow; every failure becomes a PictureError.

The first bytes select the one Pillow class that reads the format; no other is tried, and no external
program runs. Sizes are checked before pixels are allocated, against our limits, not Pillow's global one.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import io
import logging
import re
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

import PIL
from PIL import Image, ImageFile

from cutline.errors import MissingExtra, PictureError
from cutline.formatting import one_line
from cutline.imaging import jpeg
from cutline.imaging.formats import LFS_CURE, MIMES, can_open_heic, sniff_format
from cutline.imaging.headers import has_too_many_chunks
from cutline.imaging.orientation import exif_orientation, xmp_orientation
from cutline.imaging.plain_pnm import to_binary
from cutline.imaging.values import HARD_MAX_PIXELS

# Pillow logs some damage as errors too; where nobody listens, that would go to the error stream.
logging.getLogger("PIL").addHandler(logging.NullHandler())

_OPENERS = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "AVIF": ("PIL.AvifImagePlugin", "AvifImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
    "HEIF": ("pillow_heif", "HeifImageFile"),
}

# What Pillow's readers raise at damaged data, by its own list and by fuzzing.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

MAX_PPM_HEADER = 64 * 1024
_COMMENT = re.compile(rb"#[^\r\n]*")
_filters = threading.Lock()


def format_of(data: bytes, path: str) -> str:
    """The name of a supported format; PictureError ``unsupported``, or ``decode`` for an empty file."""
    if not data:
        raise PictureError("decode", f"{path}: the file is empty")
    name = sniff_format(data)
    if name is None:
        raise PictureError("unsupported", f"{path}: unknown picture format")
    if name == "Git LFS pointer":
        raise PictureError("lfs-pointer", f"{path}: a Git LFS pointer instead of the picture; {LFS_CURE}")
    if name not in MIMES:
        raise PictureError("unsupported", f"{path}: {name} is not a picture format that can be captioned")
    if name == "HEIF" and not can_open_heic():
        raise PictureError("unsupported", str(MissingExtra(f"{path}: HEIC", "heic")))
    return name


def open_image(data: bytes, name: str, path: str) -> Image.Image:
    """The header read by Pillow, the pixels not yet; its size is checked against the hard limit."""
    stream = io.BytesIO(data)
    image: Image.Image
    if name == "ICO":
        image = _open_icon(stream, data, path)
    elif name == "JPEG":
        image = jpeg.open_jpeg(data)
    else:
        if name == "TIFF":
            silence_libtiff()
        elif name == "PPM":
            _check_comments(data, path)
            stream = io.BytesIO(to_binary(data, path, HARD_MAX_PIXELS))
        elif name == "PNG":
            _check_chunks(data, path)
        module, cls = _OPENERS[name]
        opener: type[ImageFile.ImageFile] = getattr(importlib.import_module(module), cls)
        # AVIF's reader parses EXIF at once, which may warn; its decoding needs no lock.
        with _without_warnings() if name == "AVIF" else contextlib.nullcontext():
            image = opener(stream)
    check_size(path, *image.size, HARD_MAX_PIXELS)
    return image


@functools.cache
def silence_libtiff() -> None:
    """Stop libtiff from writing about damaged files to stderr, beneath Python; exceptions come as well.

    Pillow's wheels carry the library beside the package; where it is linked otherwise, its lines stay.
    """
    package = Path(PIL.__file__).parent
    places = [*package.parent.glob("pillow.libs/libtiff*"), *package.glob(".dylibs/libtiff*")]
    for place in places:
        library = ctypes.CDLL(str(place))
        for name in ("TIFFSetWarningHandler", "TIFFSetErrorHandler"):
            setter = getattr(library, name)
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def _check_comments(data: bytes, path: str) -> None:
    """Refuse a PPM whose header is mostly comments, which Pillow reads byte by byte: 50 MB take 10 s."""
    header = _COMMENT.sub(b" ", data[:MAX_PPM_HEADER])
    if len(data) > MAX_PPM_HEADER and len(header.split(maxsplit=3)) < 3:  # format, width, height
        raise PictureError(
            "too-large", f"{path}: comments of more than {MAX_PPM_HEADER:,} bytes in its header"
        )


def _check_chunks(data: bytes, path: str) -> None:
    """Refuse a PNG of a million tiny chunks, such as texts, which Pillow reads one by one in seconds."""
    if has_too_many_chunks(data):
        raise PictureError("too-large", f"{path}: too many chunks for its size; write it again")


def _open_icon(stream: io.BytesIO, data: bytes, path: str) -> Image.Image:
    """The largest picture of an icon; its size is checked here, as Pillow allocates it first."""
    from PIL.IcoImagePlugin import IcoFile

    icon: IcoFile = IcoFile(stream)
    if not icon.entry:
        raise SyntaxError("no picture in the icon")
    at = icon.entry[0].offset
    if data.startswith(b"\x89PNG", at):
        _check_chunks(data[at : at + icon.entry[0].size], path)
    else:
        width, height = struct.unpack_from("<ii", data, at + 4)
        check_size(path, abs(width), abs(height) // 2, HARD_MAX_PIXELS)
    return icon.frame(0)


def check_size(path: str, width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise PictureError(
            "too-large",
            f"{path}: {width} x {height} pixels are {width * height / 1e6:,.0f} megapixels, "
            f"the limit is {limit / 1e6:,.0f}",
        )


def check_work(path: str, work: int) -> None:
    if work > jpeg.MAX_SCAN_WORK:
        raise PictureError("too-large", f"{path}: the JPEG has too many scans for its size")


def orientation_of(image: Image.Image) -> int:
    """1 to 8, from EXIF in its places or else from XMP."""
    info = image.info
    exif, text = info.get("exif"), info.get("Raw profile type exif")
    if not isinstance(exif, bytes) and isinstance(text, str):
        with contextlib.suppress(ValueError):  # ImageMagick's way: name, length, then hexadecimal lines
            exif = bytes.fromhex("".join(text.split("\n")[3:]))
    found = exif_orientation(exif) if isinstance(exif, bytes) else None
    if found is None and hasattr(image, "tag_v2"):
        tag = image.tag_v2.get(274)
        found = tag if tag in range(1, 9) else None
    xmp = info.get("XML:com.adobe.xmp") or info.get("xmp")
    if found is None and xmp:
        found = xmp_orientation(xmp if isinstance(xmp, bytes) else str(xmp).encode(errors="replace"))
    return found or 1


def frames_of(image: Image.Image) -> int:
    """The number of frames; 2 for "more than one" where those after the first are damaged."""
    try:
        return int(getattr(image, "n_frames", 1))
    except (*_DAMAGE, Image.DecompressionBombError):
        return 2


@contextlib.contextmanager
def reading(path: str, name: str, data: bytes) -> Iterator[None]:
    """Turn what Pillow raises into a PictureError, and drop its warnings about metadata."""
    noisy = name in {"GIF", "ICO", "TIFF"} or (name == "PNG" and b"acTL" in data)
    try:
        with _without_warnings() if noisy else contextlib.nullcontext():
            yield
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError("too-large", f"{path}: more pixels in it than are opened") from error
    except MemoryError as error:
        raise PictureError("too-large", f"{path}: more memory needed than there is") from error
    except _DAMAGE as error:
        raise PictureError("decode", f"{path}: damaged {name}: {_reason(error)}") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Python's warning filters belong to the process, so only one thread may change them at a time."""
    with _filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _reason(error: BaseException) -> str:
    """The reader's message; one text for truncated files, which Pillow words in many ways."""
    if "truncated" in str(error).lower():
        return "the file ends too early"
    return one_line(error, 200)
