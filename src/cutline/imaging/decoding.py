"""Bytes to pixels through Pillow and libjpeg-turbo, with every way to fail turned into a PictureError.

Formats are chosen by the first bytes and opened by the one class that reads them: nothing else of
Pillow is tried, and no outside program runs. Sizes are checked before pixels are allocated, against
our own limits and not Pillow's global one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import io
import math
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from PIL import Image, ImageFile, JpegImagePlugin

from cutline.errors import PictureError
from cutline.imaging import jpeg, pixels
from cutline.imaging.formats import MIMES, can_open_heic, sniff_format
from cutline.imaging.headers import Header, read_header
from cutline.imaging.orientation import exif_orientation, xmp_orientation
from cutline.imaging.values import HARD_MAX_PIXELS, PictureInfo

if TYPE_CHECKING:
    from PIL.IcoImagePlugin import IcoFile

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

# What Pillow's decoders are seen to raise at damaged data.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)

_filters = threading.Lock()


class _Jpeg(JpegImagePlugin.JpegImageFile):
    """Without looking for the print resolution in EXIF, which warns when EXIF is damaged."""

    def _read_dpi_from_exif(self) -> None:
        pass


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """``image`` is upright RGB or L. ``untouchable``: nothing about the file but its size needs a change."""

    image: Image.Image
    format: str
    untouchable: bool = False


def inspect(data: bytes, path: str) -> PictureInfo:
    """What the header says, whatever the format.

    Raises:
        PictureError: ``unsupported``, ``too-large`` or ``decode``.
    """
    header = read_header(data)
    if header is not None:
        _check_size(path, header.width, header.height, HARD_MAX_PIXELS)
        width, height = header.upright
        return PictureInfo(
            format=header.format,
            width=width,
            height=height,
            orientation=header.orientation,
            frames=header.frames,
        )
    name = _format(data, path)
    with _reading(path, name, data):
        image = _open(data, name, path)
        width, height = image.size
        turn = _orientation(image)
        if turn > 4 and name != "TIFF":  # TIFF's reader has exchanged them already
            width, height = height, width
        return PictureInfo(format=name, width=width, height=height, orientation=turn, frames=_frames(image))


def decode(data: bytes, path: str, *, max_pixels: int, max_side: int) -> Opened:
    """The first frame, upright, as RGB or L, within ``max_side`` pixels (0 for no limit).

    A JPEG of one scan may have more than ``max_pixels``: it is scaled down while it is decoded.

    Raises:
        PictureError: ``unsupported``, ``too-large`` or ``decode``.
    """
    max_pixels = min(max_pixels, HARD_MAX_PIXELS)
    header = read_header(data)
    name = header.format if header else _format(data, path)
    if header is not None:
        scalable = name == "JPEG" and not header.buffered
        _check_size(path, header.width, header.height, HARD_MAX_PIXELS if scalable else max_pixels)
    with _reading(path, name, data):
        if header is not None and name == "JPEG":
            opened = _decode_jpeg(data, path, header, max_pixels, max_side)
            if opened is not None:
                return opened
        return _decode_any(data, path, name, max_pixels, max_side)


def _decode_jpeg(data: bytes, path: str, header: Header, max_pixels: int, max_side: int) -> Opened | None:
    """By libjpeg-turbo directly; None where it finds something to complain about."""
    scans = header.scans if header.buffered else None
    _check_work(path, jpeg.scan_work(data, header.width, header.height, scans))
    target = pixels.target_size(header.width, header.height, max_side)
    scale = jpeg.scale_for(header.width, header.height, target, max_pixels)
    decoded = jpeg.decode_scaled(data, header, scale)
    if decoded is None:
        return None
    return _finish(decoded, header.orientation, max_side, "JPEG")


def _decode_any(data: bytes, path: str, name: str, max_pixels: int, max_side: int) -> Opened:
    image = _open(data, name, path)
    box = None
    if name == "JPEG":
        _check_work(path, jpeg.scan_work(data, *image.size, 0))
        width, height = image.size
        scale = jpeg.scale_for(width, height, pixels.target_size(width, height, max_side), max_pixels)
        drafted = image.draft(None, (math.ceil(width * scale), math.ceil(height * scale)))
        box = drafted[1][2:] if drafted else None
    _check_size(path, *image.size, max_pixels)
    untouchable = (
        name not in {"JPEG", "PNG", "WEBP", "TIFF"}
        and image.mode in {"RGB", "L", "P"}
        and not image.has_transparency_data
        and _frames(image) == 1
    )
    image.load()  # metadata may follow the pixels
    turn = 1 if name == "TIFF" else _orientation(image)  # TIFF's reader has turned it already
    flat = pixels.flatten(image)
    opened = _finish(jpeg.Decoded(flat, *(box or flat.size)), turn, max_side, name)
    unchanged = untouchable and turn == 1 and opened.image.size == flat.size
    return dataclasses.replace(opened, untouchable=unchanged)


def _finish(decoded: jpeg.Decoded, turn: int, max_side: int, name: str) -> Opened:
    image, width, height = decoded
    size = pixels.target_size(width, height, max_side)
    image = pixels.turn(pixels.shrink(image, width, height, size), turn)
    return Opened(image=image, format=name)


def _format(data: bytes, path: str) -> str:
    """The name of a format that can be opened here.

    Raises:
        PictureError: ``unsupported``, or ``decode`` for an empty file.
    """
    if not data:
        raise PictureError("decode", f"{path}: the file is empty")
    name = sniff_format(data)
    if name is None:
        raise PictureError("unsupported", f"{path}: no picture format that is known here")
    if name not in MIMES:
        raise PictureError("unsupported", f"{path}: {name} is not a picture format that can be captioned")
    if name == "HEIF" and not can_open_heic():
        raise PictureError("unsupported", f"{path}: HEIC needs an extra: pip install 'cutline[heic]'")
    return name


def _open(data: bytes, name: str, path: str) -> Image.Image:
    """The header read by Pillow, the pixels not yet; its size is checked against the hard limit."""
    stream = io.BytesIO(data)
    image: Image.Image
    if name == "ICO":
        image = _open_icon(stream, data, path)
    elif name == "JPEG":
        image = _Jpeg(stream)
    else:
        module, cls = _OPENERS[name]
        opener: type[ImageFile.ImageFile] = getattr(importlib.import_module(module), cls)
        image = opener(stream)
    _check_size(path, *image.size, HARD_MAX_PIXELS)
    return image


def _open_icon(stream: io.BytesIO, data: bytes, path: str) -> Image.Image:
    """The largest picture of an icon; Pillow would allocate it before its size can be asked."""
    from PIL.IcoImagePlugin import IcoFile

    icon: IcoFile = IcoFile(stream)
    if not icon.entry:
        raise SyntaxError("no picture in the icon")
    at = icon.entry[0].offset
    if not data.startswith(b"\x89PNG", at):
        width, height = struct.unpack_from("<ii", data, at + 4)
        _check_size(path, abs(width), abs(height) // 2, HARD_MAX_PIXELS)
    return icon.frame(0)


def _check_size(path: str, width: int, height: int, limit: int) -> None:
    if width * height > limit:
        raise PictureError(
            "too-large",
            f"{path}: {width} x {height} pixels are {width * height / 1e6:,.0f} megapixels, "
            f"the limit is {limit / 1e6:,.0f}",
        )


def _check_work(path: str, work: int) -> None:
    if work > jpeg.MAX_SCAN_WORK:
        raise PictureError("too-large", f"{path}: the JPEG has too many scans for its size")


def _orientation(image: Image.Image) -> int:
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


def _frames(image: Image.Image) -> int:
    """How many there are; 2 for "more than one" where those after the first are damaged."""
    try:
        return int(getattr(image, "n_frames", 1))
    except (*_DAMAGE, Image.DecompressionBombError):
        return 2


@contextlib.contextmanager
def _reading(path: str, name: str, data: bytes) -> Iterator[None]:
    """Turn what Pillow raises into a PictureError, and keep its warnings about metadata to ourselves."""
    noisy = name in {"GIF", "ICO", "TIFF"} or (name == "PNG" and b"acTL" in data)
    try:
        with _without_warnings() if noisy else contextlib.nullcontext():
            yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, MemoryError) as error:
        raise PictureError("too-large", f"{path}: {_one_line(error)}") from error
    except _DAMAGE as error:
        raise PictureError("decode", f"{path}: damaged {name}: {_one_line(error)}") from error


@contextlib.contextmanager
def _without_warnings() -> Iterator[None]:
    """Python's warning filters belong to the process, so only one thread may change them at a time."""
    with _filters, warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")
        yield


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
