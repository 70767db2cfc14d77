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


def test_captions_of_replaced_pictures_are_not_paired(photos: Path, tmp_path: Path) -> None:
    def compared(*candidates: str, source: Path | None = photos) -> list[dict[str, str]]:
        found = cutline.compare(source, candidates, output=tmp_path / "a.json")
        answers = [
            {
                shown.key: one.answer(shown.key).text or one.answer(shown.key).problem
                for shown in found.pictures
            }
            for one in found.candidates
        ]
        for one, texts in zip(found.candidates, answers, strict=True):
            assert one.figures.captions == sum("changed" not in text for text in texts.values())
        return answers

    old, new = f"old={tmp_path / 'old.jsonl'}", f"new={tmp_path / 'new.jsonl'}"
    cutline.caption(photos, tmp_path / "old.jsonl", model="pixels:no-ocr")
    first = compared(old, "pixels:no-ocr")
    assert first[0] == first[1]
    (photos / "navy.png").replace(tmp_path / "other.png")  # two change places, one is made again
    (photos / "gold.png").replace(photos / "navy.png")
    (tmp_path / "other.png").replace(photos / "gold.png")
    Image.new("RGB", (32, 24), "white").save(photos / "crimson.png")
    captions, again = compared(old, "pixels:no-ocr")
    assert set(captions.values()) == {"changed: captioned from another picture of this name; run it again"}
    assert again["gold.png"] == first[1]["navy.png"]
    assert again["navy.png"] == first[1]["gold.png"]
    assert "white" in again["crimson.png"]
    Image.new("RGB", (32, 24), "crimson").save(photos / "crimson.png")
    cutline.caption(photos, tmp_path / "new.jsonl", model="pixels:no-ocr")
    photos.rename(tmp_path / "moved")  # then what the runs recorded is compared
    captions, others = compared(old, new, source=None)
    assert captions == first[0]
    assert others["crimson.png"] == captions["crimson.png"]
    assert "changed" in others["gold.png"]


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
    with pytest.raises(ConfigError, match="give source="):
        cutline.compare(None, two, output=tmp_path / "out.html")
    assert not list(tmp_path.glob("out*"))
