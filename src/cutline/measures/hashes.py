"""Perceptual hashes: near duplicates differ in few of 256 bits.

Christoph Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010, with 16 by 16
coefficients instead of 8 by 8, as 64 bits collide by chance among a million pictures.
"""

from __future__ import annotations

import functools
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cutline.imaging.decoded import DecodedPicture
from cutline.measures.oklab import Floats

BYTES: Final = 64  # of both hashes
VERSION: Final = "5"  # of what is kept for duplicates, pages included

_SIDE: Final = 64
_KEPT: Final = 16
_FLAT: Final = 0.02  # standard deviation of lightness below which there is no detail to compare


def hashes_of(picture: DecodedPicture) -> bytes | None:
    """The 256-bit DCT hash followed by the 256-bit gradient hash.

    None for a picture without detail, as all of these have the same hash.
    """
    grey = picture.image.convert("L")
    small = np.asarray(grey.resize((_SIDE, _SIDE), Image.Resampling.LANCZOS), dtype=np.float32)
    if float(small.std()) < _FLAT * 255:
        return None
    spectrum = (_cosines() @ small @ _cosines().T)[_zigzag()]
    bits = spectrum > np.median(spectrum)
    steps = np.asarray(grey.resize((_KEPT + 1, _KEPT), Image.Resampling.LANCZOS), dtype=np.int16)
    rising = np.diff(steps, axis=1) > 0
    return np.packbits(bits).tobytes() + np.packbits(rising).tobytes()


@functools.cache
def _cosines() -> Floats:
    """The rows of the DCT-II of 64 values for its 16 lowest frequencies."""
    frequencies, places = np.arange(_KEPT)[:, None], np.arange(_SIDE)[None, :]
    cosines: Floats = np.cos(np.pi * frequencies * (2 * places + 1) / (2 * _SIDE)).astype(np.float32)
    return cosines


@functools.cache
def _zigzag() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows and columns of 16 by 16 coefficients, low frequencies first."""
    rows, columns = np.divmod(np.arange(_KEPT * _KEPT), _KEPT)
    diagonals = rows + columns
    order = np.lexsort((np.where(diagonals % 2, rows, columns), diagonals))
    return rows[order], columns[order]
