"""Comparing from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for colour in ("crimson", "gold", "navy"):
        Image.new("RGB", (32, 24), colour).save(folder / f"{colour}.png")
    return folder


def test_a_folder_is_compared(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.html"
    seen: list[int] = []
    found = cutline.compare(
        photos,
        ["fake", "pixels:no-ocr"],
        prompt={"a": "short"},
        output=out,
        image_limit=2,
        progress=lambda now: seen.append(now.done),
    )
    assert [(one.name, one.figures.captions) for one in found.candidates] == [
        ("fake", 2),
        ("pixels:no-ocr", 2),
    ]
    assert [shown.key for shown in found.pictures] == ["crimson.png", "gold.png"]
    assert found.total == 3
    assert found.candidates[0].answer("gold.png").text.endswith("prompted by a.")
    assert out.read_text("utf-8").startswith("<!DOCTYPE html>")
    assert seen


def test_a_list_and_outputs_are_compared(photos: Path, tmp_path: Path) -> None:
    paths = sorted(photos.iterdir())
    cutline.caption(paths, tmp_path / "one.jsonl", model="fake", prompt="short")
    cutline.caption(paths, tmp_path / "two.parquet", model="fake", prompt="detailed")
    outputs = [f"one={tmp_path / 'one.jsonl'}", f"two={tmp_path / 'two.parquet'}"]
    found = cutline.compare(None, outputs, output=tmp_path / "a.json")
    assert [one.figures.captions for one in found.candidates] == [3, 3]
    asked = cutline.compare(paths, [*outputs, "fake"], output=tmp_path / "b.json")
    assert [one.figures.captions for one in asked.candidates] == [3, 3, 3]


def test_what_means_nothing_here_is_refused(photos: Path, tmp_path: Path) -> None:
    two = ["fake", "pixels"]
    for wrong, said in [
        ({"samples_per_shard": 3}, "compare() does not support samples_per_shard"),
        ({"steps": {"a": "fake"}}, "give the chain file as a candidate"),
        ({"colour": "red"}, "compare() has no option 'colour'"),
    ]:
        with pytest.raises(ConfigError, match=said.replace("(", r"\(").replace(")", r"\)")):
            cutline.compare(photos, two, output=tmp_path / "out.html", **wrong)
    with pytest.raises(ConfigError, match="stable names"):
        cutline.compare([b"picture"], two, output=tmp_path / "out.html")
    with pytest.raises(ConfigError, match="give --input-path"):
        cutline.compare(None, two, output=tmp_path / "out.html")
    assert not list(tmp_path.glob("out*"))
