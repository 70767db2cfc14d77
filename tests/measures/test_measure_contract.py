"""Every registered measure keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import math

import pytest
from PIL import Image

from cutline import registry
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, MeasureOptions
from cutline.measures.catalog import make_measure
from measured_pictures import blurred, decoded, flat, lit, scene, shaken

GOOD = scene()
CASES = {
    "side": scene(60, 60),
    "width": scene(60, 400),
    "height": scene(400, 60),
    "pixels": scene(60, 60),
    "aspect": scene(600, 60),
    "sharpness": blurred(GOOD),
    "motion": shaken(GOOD),
    "dark": lit(GOOD, 0.2),
    "washed": lit(GOOD, 0.4, 150),
    "clipped": lit(GOOD, 4, 60),
    "contrast": flat(GOOD),
    "entropy": Image.new("RGB", (400, 300), "navy"),
    "chroma": GOOD.convert("L").convert("RGB"),
}
"""By the measure's name a picture that is worse than ``GOOD``."""

MODELS = {"text", "nsfw", "aesthetic", "class"}
"""Those with tests of their own, in ``test_models.py``."""


def test_every_measure_has_a_row():
    assert {*CASES, *MODELS} == set(registry.names("measures"))


@pytest.mark.parametrize("name", CASES)
def test_it_is_cheap(name):
    assert not make_measure(name, MeasureOptions()).is_slow


@pytest.mark.parametrize("name", CASES)
def test_it_says_what_it_is(name):
    measure = make_measure(name, MeasureOptions())
    assert Measure in type(measure).__mro__
    assert measure.name == name
    assert measure.meaning
    assert len(measure.meaning) < 80
    assert measure.meaning[0].islower()
    assert measure.low < measure.high
    assert measure.low <= measure.usual <= measure.high
    assert measure.low <= measure.bad <= measure.high
    assert measure.usual != measure.bad


@pytest.mark.parametrize("name", CASES)
def test_a_bad_picture_lies_towards_the_bad_value(name):
    measure = make_measure(name, MeasureOptions())
    measure.open()
    good, bad = measure.measure(decoded(GOOD)), measure.measure(decoded(CASES[name]))
    assert bad != good
    assert (bad < good) == (measure.bad < measure.usual)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "image",
    [
        Image.new("RGB", (1, 1), "red"),
        Image.new("L", (1, 3000), 7),
        Image.new("RGB", (700, 700), "white"),
        Image.new("1", (90, 40)),
        Image.new("I;16", (64, 64), 60000),
        Image.new("RGBA", (40, 50), (0, 0, 0, 0)),
        Image.new("LA", (33, 20), (9, 200)),
        scene(29, 31),
        scene().quantize(16),
    ],
    ids=lambda image: f"{image.mode}-{image.width}x{image.height}",
)
def test_any_picture_has_a_number_in_its_range_or_none(name, image):
    measure = make_measure(name, MeasureOptions())
    picture = decoded(image)
    value = measure.measure(picture)
    if value is not None:
        assert math.isfinite(value)
        assert measure.low <= value <= measure.high
    again = DecodedPicture(picture.image, width=picture.width, height=picture.height)
    assert measure.measure(again) == value


@pytest.mark.parametrize("name", CASES)
def test_cmyk_and_animated_pictures_are_measured(name):
    measure = make_measure(name, MeasureOptions())
    assert measure.measure(decoded(GOOD.convert("CMYK"), "JPEG")) is not None
    frames = {"save_all": True, "append_images": [blurred(GOOD)]}
    still, moving = decoded(GOOD.quantize(64), "GIF"), decoded(GOOD.quantize(64), "GIF", **frames)
    assert measure.measure(moving) == measure.measure(still)
