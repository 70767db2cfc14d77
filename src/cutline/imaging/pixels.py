"""Conversion of any of Pillow's modes to upright 8-bit pixels, and resizing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np

_SHORT = 32  # pixels of a side, where rounding changes the shape; below two no model takes it anyway
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """The picture made upright from its EXIF orientation."""
    operation = _TURNS.get(orientation)
    return image if operation is None else image.transpose(operation)


def target_size(width: float, height: float, max_side: int) -> tuple[int, int]:
    """Width and height within ``max_side``, never larger than they are and never 0.

    A short side is rounded up, so that no shape becomes longer than a model takes by our rounding.
    """
    scale = min(1.0, max_side / max(width, height)) if max_side else 1.0
    return _scaled(width * scale), _scaled(height * scale)


def _scaled(side: float) -> int:
    return max(1, math.ceil(side - 1e-6) if 2 <= side < _SHORT else round(side))


def shrink(image: Image.Image, width: float, height: float, size: tuple[int, int]) -> Image.Image:
    """Resample the part from the corner to ``width`` x ``height`` (which may be fractions) to ``size``."""
    if image.size == size and width == size[0] and height == size[1]:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, box=(0, 0, width, height), reducing_gap=2.0)


def shrink_coarsely(plane: Image.Image, width: float, height: float, size: tuple[int, int]) -> Image.Image:
    """As ``shrink``, for chroma and thumbnails: cheaper, which nobody sees there."""
    return plane.resize(size, Image.Resampling.BILINEAR, box=(0, 0, width, height), reducing_gap=1.0)


def flatten(image: Image.Image) -> Image.Image:
    """RGB, or L for grey, with alpha laid over white; loads the pixels."""
    image.load()
    if image.mode in {"RGB", "L"} and "transparency" not in image.info:
        return image
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep_grey(image)
    if image.mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGB", rgba.size, "white")
        white.paste(rgba, mask=rgba)
        return white
    return image.convert("L" if image.mode == "1" else "RGB")


def _deep_grey(image: Image.Image) -> Image.Image:
    """More than 8 bits of grey, brought to 8 by the range that the file declares."""
    import numpy as np

    values = np.asarray(image)
    grey = _from_floats(values) if image.mode == "F" else _from_integers(values, _bits(image))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey[values == clear] = 255
    return Image.fromarray(grey)


def _bits(image: Image.Image) -> int:
    """Bits a sample; TIFF says so itself, PNG and PPM of this mode have 16."""
    declared = getattr(image, "tag_v2", {}).get(258)  # BitsPerSample
    if isinstance(declared, tuple) and declared:
        declared = declared[0]
    return declared if isinstance(declared, int) and 8 < declared <= 32 else 16


def _from_integers(values: np.ndarray, bits: int) -> np.ndarray:
    import numpy as np

    grey: np.ndarray = (values.clip(0, None) >> (bits - 8)).clip(0, 255).astype(np.uint8)
    return grey


def _from_floats(values: np.ndarray) -> np.ndarray:
    """0 to 1, or 0 to 255, or up to the largest value; there is no declared range."""
    import numpy as np

    grey = np.nan_to_num(values, nan=0, posinf=0, neginf=0)
    np.clip(grey, 0, None, out=grey)
    top = float(grey.max(initial=0))
    if top <= 1:
        grey *= 255
    elif top > 255:
        grey *= 255 / top
    rounded: np.ndarray = np.rint(grey, out=grey).astype(np.uint8)
    return rounded


def _from_lab(image: Image.Image) -> Image.Image:
    from PIL import ImageCms

    converted = ImageCms.profileToProfile(
        image, ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
    assert converted is not None  # it is None only for inPlace=True
    return converted
