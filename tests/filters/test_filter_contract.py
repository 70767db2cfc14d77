"""Every registered filter keeps the contract; a new one is a row of ``CASES``."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from cutline.errors import ConfigError, PictureError
from cutline.imaging import Picture
from cutline.interfaces import Rejection
from cutline.locations.stored import InlineBytes, LocalFile
from cutline.records import Sample
from stage_contract import build, check_options, check_summary, every

CASES = {
    "size": "=40",
}

FILTERS = every("filters", CASES)


def pictures(folder):
    for size in ((16, 16), (640, 20), (64, 48)):
        path = folder / f"{size[0]}.png"
        Image.new("RGB", size, "crimson").save(path)
        location = LocalFile(str(path))
        yield Sample(key=path.name, location=location), Picture(location)


@pytest.mark.parametrize(("room", "name", "options"), FILTERS)
def test_the_options_are_a_record(room, name, options):
    check_options(room, name, options)


@pytest.mark.parametrize(("room", "name", "options"), FILTERS)
def test_the_summary_is_a_line(room, name, options):
    check_summary(room, name, options)


@pytest.mark.parametrize(("room", "name", "options"), FILTERS)
async def test_it_gives_a_reason_or_none_and_always_the_same(room, name, options, tmp_path):
    stage = build(room, name, options)
    await stage.open(lambda line: None)
    try:
        for sample, picture in pictures(tmp_path):
            result = await stage.filter(sample, picture)
            assert result is None or isinstance(result, Rejection)
            if result is not None:
                assert result.reason
                json.dumps(result.value, allow_nan=False)
            assert await stage.filter(sample, picture) == result
    finally:
        await stage.aclose()


@pytest.mark.parametrize(("room", "name", "options"), FILTERS)
async def test_a_damaged_picture_is_that_failure(room, name, options):
    location = InlineBytes(b"no picture", "damaged.png")
    stage = build(room, name, options)
    with pytest.raises(PictureError):
        await stage.filter(Sample(key="damaged.png", location=location), Picture(location))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ("=48", None),
        ("=49", "side below 49"),
        (":width=64,height=48,pixels=3072,aspect=1.34", None),
        (":width=65", "width below 65"),
        (":height=49", "height below 49"),
        (":pixels=3073", "pixels below 3073"),
        (":aspect=1.3", "aspect above 1.3"),
    ],
)
async def test_size(options, reason, tmp_path):
    *_, (sample, picture) = pictures(tmp_path)  # 64 x 48
    result = await build("filters", "size", options).filter(sample, picture)
    assert (result.reason if result else None) == reason
    assert result is None or result.value == {"width": 64, "height": 48}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "needs a limit, such as size=256"),
        ("=0", "side must be 1 or more, not 0"),
        (":aspect=nan", "aspect must be 1 or more, not nan"),
        ("=big", "--filter size: side takes a whole number, not 'big'"),
    ],
)
def test_size_refuses_options_that_mean_nothing(options, message):
    with pytest.raises(ConfigError, match=message):
        build("filters", "size", options)
