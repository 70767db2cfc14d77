"""Judging from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for colour in ("crimson", "gold", "navy"):
        Image.new("RGB", (32, 24), colour).save(photos / f"{colour}.png")
    for name, prompt in (("a", "short"), ("b", "detailed")):
        cutline.caption(photos, tmp_path / f"{name}.jsonl", model="fake", prompt=prompt)
    return tmp_path


def test_outputs_are_judged_by_name_and_in_a_list(folder: Path) -> None:
    outputs = {"one": folder / "a.jsonl", "two words": folder / "b.jsonl"}
    seen: list[int] = []
    found = cutline.judge(
        outputs, "fake", output=folder / "out.html", progress=lambda now: seen.append(now.done)
    )
    assert isinstance(found, cutline.Judgment)
    assert found.ranking is not None
    assert {one.name for one in found.ranking.standings} == set(outputs)
    assert len(found.played) == 6
    assert seen
    assert (folder / "out.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    listed = cutline.judge(
        [folder / "a.jsonl", f"b={folder / 'b.jsonl'}"], "fake", output=folder / "l.json", image_limit=2
    )
    assert listed.ranking is not None
    assert listed.ranking.pictures == 2
    rated = cutline.judge(outputs, "fake", rubric=True, output=folder / "r.json")
    assert rated.rubric is not None
    assert len(rated.ratings) == 6


def test_pictures_and_people_come_as_for_other_functions(folder: Path) -> None:
    outputs = {"one": folder / "a.jsonl", "two": folder / "b.jsonl"}
    pictures = folder / "photos"
    found = cutline.judge(outputs, "fake", images=pictures, output=folder / "out.json")
    assert found.ranking is not None
    assert found.ranking.pictures == 3
    ballot = cutline.judge(outputs, people=folder / "people.html")
    assert (ballot.ballot, ballot.ranking) == (3, None)
    assert (folder / "people.html").exists()


def test_calls_that_mean_nothing_are_refused(folder: Path) -> None:
    outputs = [folder / "a.jsonl", folder / "b.jsonl"]
    with pytest.raises(ConfigError, match="several outputs: write"):
        cutline.judge(str(outputs[0]), "fake")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="in a list or mapping, not int"):
        cutline.judge(5, "fake")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"^a contestant takes a path, not a dict: write it"):
        cutline.judge([{"a.png": "A cat."}, outputs[1]], "fake")  # type: ignore[list-item]
    with pytest.raises(ConfigError, match=r"b\.jsonl holds no votes"):
        cutline.judge(outputs, votes=outputs[1])
    with pytest.raises(ConfigError, match="does not support language: remove it"):
        cutline.judge(outputs, "fake", language="German")
    with pytest.raises(ConfigError, match="has no option 'temprature', did you mean temperature"):
        cutline.judge(outputs, "fake", temprature=1)  # type: ignore[call-arg]
    with pytest.raises(ConfigError, match="nobody judges: give a model"):
        cutline.judge(outputs)
    other = folder / "other.png"
    other.write_bytes((folder / "photos" / "gold.png").read_bytes())
    with pytest.raises(ConfigError, match="none of the 1 picture of the pictures given: it has"):
        cutline.judge(outputs, "fake", images=[other], output=folder / "x.json")
