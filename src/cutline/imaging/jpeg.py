"""JPEGs decoded at a fraction of their size: the inverse cosine transform does the first shrinking."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from cutline.imaging.headers import Header

if TYPE_CHECKING:
    from PIL import Image

_SCALES = (1 / 8, 1 / 4, 3 / 8, 1 / 2)
# A scan costs a pass over all blocks however little it holds, so a small file can ask for hours.
MAX_SCAN_WORK = 4_000_000_000


class Decoded(NamedTuple):
    """``width`` and ``height`` are the fractional size that the scaled picture has in truth.

    A picture 3300 pixels wide becomes 1237.5 at 3/8, stored in 1238. Resizing from the whole of these
    would shift its details by up to half a pixel.
    """

    image: Image.Image
    width: float
    height: float


def scale_for(width: int, height: int, target: tuple[int, int], max_pixels: int) -> float:
    """The smallest fraction that is no smaller than ``target``; less where ``max_pixels`` demands it."""
    most = math.sqrt(max_pixels / (width * height))
    allowed = [scale for scale in (*_SCALES, 1.0) if scale <= most] or [_SCALES[0]]
    for scale in allowed:
        if width * scale >= target[0] and height * scale >= target[1]:
            return scale
    return allowed[-1]


def scan_work(data: bytes, width: int, height: int, scans: int | None) -> int:
    """Pixels times scans: what a decoder has to visit. Honest files of many scans have about ten.

    ``scans`` is where they start in ``data``, None for a JPEG of a single one.
    """
    return width * height * (1 if scans is None else 1 + data.count(b"\xff\xda", scans))


def decode_scaled(data: bytes, header: Header, scale: float) -> Decoded | None:
    """The picture at ``scale``, not turned; None where libjpeg-turbo has any complaint.

    Whether a complaint is fatal is for the tolerant decoder to say.
    """
    import simplejpeg
    from PIL import Image

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
