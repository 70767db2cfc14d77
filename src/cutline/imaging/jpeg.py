"""JPEGs decoded at a fraction of their size: the inverse cosine transform does the first shrinking."""

from __future__ import annotations

import io
import math
from typing import NamedTuple

from PIL import Image, JpegImagePlugin

from cutline.imaging.headers import Header
from cutline.imaging.pixels import target_size

_SCALES = (1 / 8, 1 / 4, 3 / 8, 1 / 2, 1.0)
_DRAFT_SCALES = (1 / 8, 1 / 4, 1 / 2, 1.0)
# How much larger than its target a scaled picture must be, for SSIM to stay above 0.98 on sharp photos:
# scaled decoding leaves some aliasing, which resampling by too little does not remove.
_MARGIN = 1.4
# A scan costs a pass over all blocks however little it holds, so a small file can ask for hours.
MAX_SCAN_WORK = 2_000_000_000
# Pictures from here on are smooth at the level of single pixels, as lenses and demosaicing leave them:
# decoding them straight to a size just below the wanted one looks right (SSIM 0.987 on mosaics of sharp
# photos) and saves all of the resampling. A 12-megapixel photo of 4000 pixels becomes 1000, not 1024.
_LARGE = 8_000_000
_SNAPPED = (1 / 8, 1 / 4, 1 / 2)
_CLOSE = 0.95


class JpegFile(JpegImagePlugin.JpegImageFile):
    """Pillow's reader, without its search for the print resolution, which warns at damaged EXIF."""

    def _read_dpi_from_exif(self) -> None:
        pass


class Decoded(NamedTuple):
    """``width`` and ``height`` are the fractional size that the scaled picture has in truth.

    A picture 3300 pixels wide becomes 1237.5 at 3/8, stored in 1238. Resizing from the whole of these
    would shift its details by up to half a pixel.
    """

    image: Image.Image
    width: float
    height: float


def scale_for(
    width: int,
    height: int,
    target: tuple[int, int],
    max_pixels: int,
    scales: tuple[float, ...] = _SCALES,
    *,
    coarse: bool = False,
) -> float:
    """The smallest of ``scales`` that looks well at ``target``; less where ``max_pixels`` demands it.

    ``coarse``: the smallest that is not below ``target``.
    """
    margin = 1.0 if coarse else _MARGIN
    for scale in _SNAPPED:
        whole = math.isclose(width * scale, target[0]) and math.isclose(height * scale, target[1])
        if whole and _is_large(width, height):
            return scale
    most = math.sqrt(max_pixels / (width * height))
    allowed = [scale for scale in scales if scale <= most] or [scales[0]]
    for scale in allowed:
        if width * scale >= target[0] * margin and height * scale >= target[1] * margin:
            return scale
    return allowed[-1]


def snap(width: int, height: int, max_side: int) -> int:
    """A size that scaled decoding gives without resampling, if one lies just below ``max_side``."""
    longest = max(width, height)
    if not max_side or not _is_large(width, height):
        return max_side
    for scale in _SNAPPED:
        parts = round(1 / scale)
        whole = width % parts == 0 and height % parts == 0
        if whole and _CLOSE * max_side <= longest // parts <= max_side:
            return longest // parts
    return max_side


def _is_large(width: int, height: int) -> bool:
    return width * height >= _LARGE


def scan_work(data: bytes, width: int, height: int, start: int) -> int:
    """Pixels times scans after ``start``: what a decoder has to visit. Honest files have about ten scans."""
    return width * height * (1 + data.count(b"\xff\xda", start))


def decode_scaled(data: bytes, header: Header, scale: float) -> Decoded | None:
    """The picture at ``scale``, not turned; None where libjpeg-turbo reports any damage."""
    import simplejpeg

    width, height = header.width * scale, header.height * scale
    try:
        pixels = simplejpeg.decode_jpeg(
            data,
            "GRAY" if header.grey else "RGB",
            min_width=math.ceil(width) if scale < 1 else 0,
            min_height=math.ceil(height) if scale < 1 else 0,
            min_factor=2 if scale < 1 else 1,
        )
    except ValueError:
        return None
    if pixels.shape[:2] != (math.ceil(height), math.ceil(width)):
        return None
    return Decoded(Image.fromarray(pixels[:, :, 0] if header.grey else pixels), width, height)


def open_jpeg(data: bytes) -> JpegFile:
    """The header read by Pillow; raises as its plugins do."""
    return JpegFile(io.BytesIO(data))


def draft(image: JpegFile, mode: str | None, max_side: int, max_pixels: int) -> tuple[float, float]:
    """Let Pillow decode at 1/1, 1/2, 1/4 or 1/8, in ``mode`` (YCbCr, or None); the fractional size."""
    width, height = image.size
    scale = scale_for(width, height, target_size(width, height, max_side), max_pixels, _DRAFT_SCALES)
    drafted = image.draft(mode, (math.ceil(width * scale), math.ceil(height * scale)))
    return drafted[1][2:] if drafted else (width, height)
