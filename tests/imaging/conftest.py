from __future__ import annotations

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from cutline.imaging import Picture


@dataclasses.dataclass(frozen=True)
class Held:
    """Bytes that count how often they are read."""

    data: bytes
    path: str = "somewhere/photo.bin"
    reads: list[int] = dataclasses.field(default_factory=list)

    def read(self) -> bytes:
        self.reads.append(1)
        return self.data


@pytest.fixture
def picture():
    """A Picture of bytes."""
    return lambda data, **options: Picture(Held(data), **options)


@pytest.fixture
def held():
    return Held


@pytest.fixture
def encode():
    """An image as bytes of a format, with Pillow's options."""

    def encoded(image: Image.Image, name: str, **options) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, name, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def scenery():
    """Detail of every size, as photos have it: octaves of noise, and sharp edges over them."""

    def made(width: int, height: int, seed: int = 0) -> Image.Image:
        random = np.random.default_rng(seed)
        total = np.zeros((height, width, 3), np.float32)
        for octave in range(3, 11):
            shape = (max(1, (height << octave) >> 11), max(1, (width << octave) >> 11), 3)
            noise = random.integers(0, 256, shape, np.uint8)
            layer = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
            total += (np.asarray(layer, np.float32) - 128) * 1.4 ** (3 - octave)
        for _ in range(40):
            x, y = random.integers(0, width), random.integers(0, height)
            w, h = random.integers(8, width // 3), random.integers(8, height // 3)
            total[y : y + h, x : x + w] += random.integers(-50, 50, 3)
        return Image.fromarray((total + 128).clip(0, 255).astype(np.uint8))

    return made


@pytest.fixture(scope="session")
def quarters():
    """Red, green, blue and yellow quarters: shows any turn or flip."""
    image = Image.new("RGB", (96, 64))
    for box, colour in (
        ((0, 0, 48, 32), (220, 30, 30)),
        ((48, 0, 96, 32), (30, 160, 60)),
        ((0, 32, 48, 64), (30, 60, 200)),
        ((48, 32, 96, 64), (230, 210, 40)),
    ):
        image.paste(colour, box)
    return image


@pytest.fixture(scope="session")
def difference():
    """Mean absolute difference of two images, in levels of 255."""

    def measured(one: Image.Image, other: Image.Image) -> float:
        assert one.size == other.size
        first, second = (np.asarray(image.convert("RGB"), np.int16) for image in (one, other))
        return float(np.abs(first - second).mean())

    return measured
