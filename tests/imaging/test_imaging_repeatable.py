"""The same picture is always sent as the same bytes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cutline.imaging import Limits, Picture
from cutline.locations.stored import InlineBytes


@pytest.mark.parametrize("size", [(96, 64), (96, 63), (95, 64), (95, 63), (301, 173)])
@pytest.mark.parametrize("max_side", [31, 32, 33])
def test_same_bytes_whatever_the_memory_held_before(size: tuple[int, int], max_side: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "JPEG")
    seen = set()
    for fill in range(0, 250, 25):
        scratch = [np.full(count, fill, np.uint8) for count in range(200, 4000, 100)]
        del scratch  # leaves its values in the memory that is given out next
        picture = Picture(InlineBytes(buffer.getvalue(), "noise"))
        seen.add(picture.fit(Limits(max_side=max_side)).data)
    assert len(seen) == 1
