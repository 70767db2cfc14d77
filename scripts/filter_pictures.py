"""Draw ``docs/images/filter-limits.webp``: pictures on both sides of each limit in ``docs/filters.md``.

python scripts/filter_pictures.py
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

from cutline.filters.rules import Rule, shown
from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import MeasureOptions
from cutline.locations.stored import InlineBytes
from cutline.measures.catalog import make_measure
from cutline.sample_pictures.outdoors import autumn_wood
from cutline.sample_pictures.things import still_life

TARGET = Path(__file__).resolve().parents[1] / "docs" / "images" / "filter-limits.webp"
WIDTH, HEIGHT, GAP, LINE = 300, 225, 12, 26
Change = Callable[[Image.Image, float], Image.Image]


def _shaken(image: Image.Image, length: float) -> Image.Image:
    pixels = np.asarray(image, dtype=np.float32)
    steps = [np.roll(pixels, step, axis=1) for step in range(round(length))]
    return Image.fromarray(np.mean(steps, axis=0).astype(np.uint8))


def _lifted(image: Image.Image, plus: float) -> Image.Image:
    return image.point(lambda value: min(255, round(value + plus)))


def _lit(image: Image.Image, light: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(light)


def _paled(image: Image.Image, share: float) -> Image.Image:
    return ImageEnhance.Contrast(image).enhance(share)


def _blurred(image: Image.Image, sigma: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(sigma))


CHANGES: dict[str, tuple[Change, list[float]]] = {
    "sharpness>=0.75": (_blurred, [0.3 * step for step in range(1, 20)]),
    "motion<=0.48": (_shaken, [1 + step for step in range(20)]),
    "dark<=0.6": (_lit, [0.9 - 0.05 * step for step in range(17)]),
    "washed<=0.46": (_lifted, [15 * step for step in range(15)]),
    "clipped<=0.35": (_lit, [1 + 0.1 * step for step in range(60)]),
    "contrast>=0.4": (_paled, [1 - 0.05 * step for step in range(19)]),
}
"""For each rule what makes a picture worse, in steps."""


def pairs() -> Iterator[tuple[Rule, list[tuple[Image.Image, float]]]]:
    """For each rule the last picture that keeps it, and one two steps further, with their values."""
    for text, (change, steps) in CHANGES.items():
        rule = Rule.parse(text)
        measure = make_measure(rule.name, MeasureOptions())
        scene = (still_life if rule.name in {"washed", "clipped"} else autumn_wood)().convert("RGB")
        scene.thumbnail((512, 512))
        images = [change(scene, step) for step in steps]
        values = [measure.measure(_decoded(image)) for image in images]
        broken = [value is not None and not rule.holds(value) for value in values]
        first = broken.index(True)
        chosen = (max(0, first - 2), min(len(images) - 1, first + 1))
        yield rule, [(images[place], values[place] or 0.0) for place in chosen]


def _decoded(image: Image.Image) -> DecodedPicture:
    file = io.BytesIO()
    image.save(file, "PNG")
    return DecodedPicture.of(Picture(InlineBytes(file.getvalue(), "picture")))


def draw() -> Image.Image:
    """Two columns of pairs."""
    found = list(pairs())
    rows = -(-len(found) // 2)
    pair = 2 * WIDTH + GAP
    sheet = Image.new("RGB", (2 * pair + 3 * GAP, rows * (HEIGHT + LINE + GAP) + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    for number, (rule, sides) in enumerate(found):
        top = GAP + number // 2 * (HEIGHT + LINE + GAP)
        for side, (image, value) in enumerate(sides):
            left = GAP + number % 2 * (pair + GAP) + side * (WIDTH + GAP)
            sheet.paste(image.resize((WIDTH, HEIGHT)), (left, top))
            verdict = "kept" if rule.holds(value) else f"rejected by {rule}"
            text = f"{rule.name} {shown(value, 2)}: {verdict}"
            pen.text((left, top + HEIGHT + 4), text, "black", font_size=15)
    return sheet


if __name__ == "__main__":
    draw().save(TARGET, "WEBP", quality=80, method=6)
    print(f"wrote {TARGET.name}")
