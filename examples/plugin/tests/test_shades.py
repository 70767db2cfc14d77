"""The model alone, and as cutline calls it."""

from __future__ import annotations

from pathlib import Path

import pytest
from cutline_shades import Shades
from PIL import Image

import cutline
from cutline import Prompt


@pytest.mark.parametrize(("grey", "word"), [(0, "black"), (128, "dim"), (255, "white")])
def test_it_tells_how_light_a_picture_is(grey: int, word: str) -> None:
    image = Image.new("RGB", (30, 20), (grey, grey, grey))
    text = Shades().infer(Prompt(), image, "grey.png")
    assert text == f"A {word} picture of 30 by 20 pixels, evenly lit."


def test_it_tells_where_the_light_is() -> None:
    image = Image.new("RGB", (30, 20), "black")
    image.paste("white", (0, 0, 30, 10))
    assert "lighter above" in Shades().infer(Prompt(), image, "sky.png")
    assert "lighter below" in Shades().infer(Prompt(), image.rotate(180), "snow.png")


def test_a_picture_of_one_line_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"line\.png has no upper"):
        Shades().infer(Prompt(), Image.new("RGB", (30, 1)), "line.png")


def test_cutline_asks_it(tmp_path: Path) -> None:
    Image.new("RGB", (30, 20), "white").save(tmp_path / "white.png")
    (row,) = cutline.caption(tmp_path, model="shades:figures")
    assert row["caption"] == "A 100% light picture of 30 by 20 pixels, evenly lit."
    (row,) = cutline.caption(tmp_path, model="shades", prompt="short")
    assert row["caption"] == "A white picture."
