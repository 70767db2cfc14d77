"""``cutline filter`` as a user runs it."""

from __future__ import annotations

import json
import re

import pytest
from program import rows

from measured_pictures import blurred, scene


@pytest.fixture
def cutline(here):
    return here


@pytest.fixture
def photos(tmp_path):
    """Five sharp pictures, a blurred and a small one, a smaller copy, and a damaged file."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(5):
        scene(seed=seed).save(folder / f"good{seed}.png")
    blurred(scene(seed=9)).save(folder / "soft.png")
    scene(90, 70, seed=10).save(folder / "small.png")
    scene(seed=1).resize((360, 270)).save(folder / "copy.jpg", quality=80)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no picture")
    return folder


def test_the_kept_pictures_are_a_list_that_can_be_captioned(cutline, photos, tmp_path):
    found = cutline(
        "filter", "photos", "kept.txt", "--keep", "side>=256", "--keep", "sharpness>=0.75", "--dedup", "near"
    )
    assert found.code == 1
    assert "5 kept · 3 rejected (1 side>=256, 1 sharpness>=0.75, 1 near duplicate)" in found.err
    assert "1 cannot be opened" in found.err
    assert (tmp_path / "kept.txt").read_text().split() == [f"photos/good{n}.png" for n in range(5)]
    by_key = {row["key"]: row for row in rows(tmp_path / "kept.txt.rejected.jsonl")}
    assert by_key["small.png"]["reason"] == "side 70 < 256"
    assert by_key["soft.png"]["reason"].startswith("sharpness 0.")
    assert by_key["soft.png"]["reason"].endswith(" < 0.75")
    assert by_key["copy.jpg"]["kept"] == "good1.png"
    assert by_key["copy.jpg"]["distance"] <= 64
    (failure,) = rows(tmp_path / "kept.txt.failures.jsonl")
    assert (failure["key"], failure["kind"]) == ("broken.jpg", "decode")
    captioned = cutline("caption", "kept.txt", "captions.jsonl")
    assert captioned.code == 0
    assert [row["image_id"] for row in rows(tmp_path / "captions.jsonl")] == [
        f"photos/good{n}.png" for n in range(5)
    ]


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
def test_every_kind_of_list_is_an_input(cutline, photos, tmp_path, ending):
    (tmp_path / "lists").mkdir()
    (photos / "broken.jpg").unlink()
    assert cutline("filter", "photos", f"lists/kept.{ending}", "--keep", "side>=256").code == 0
    captioned = cutline("caption", f"lists/kept.{ending}", "out.jsonl", "--image-root", "photos")
    assert captioned.code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 7


def test_another_limit_opens_no_picture_again(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    assert cutline("filter", "photos", "kept.txt", "--keep", "side>=256").code == 0
    lines = (tmp_path / "kept.txt.cutline/measures.jsonl").read_bytes()
    again = cutline("filter", "photos", "kept.txt", "--keep", "entropy>=p20", "--dedup", "near")
    assert again.code == 0
    assert "measuring" not in again.err
    assert (tmp_path / "kept.txt.cutline/measures.jsonl").read_bytes() == lines


def test_rules_of_a_run_are_skips(cutline, photos, tmp_path):
    (photos / "broken.jpg").unlink()
    first = cutline("caption", "photos", "out.jsonl", "--keep", "side>=256", "--keep", "sharpness>=p20")
    assert first.code == 0
    assert "6 captions · 2 skipped" in first.err
    report = json.loads((tmp_path / "out.jsonl.cutline/report.json").read_bytes())
    assert report["skip_reasons"] == {"side>=256": 1, "sharpness>=p20": 1}
    again = cutline("caption", "photos", "out.jsonl", "--keep", "side>=300")
    assert again.code == 0
    assert len(rows(tmp_path / "out.jsonl")) == 6
    assert "copy.jpg" not in {row["image_id"] for row in rows(tmp_path / "out.jsonl")}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (["sharpnes>=1"], "did you mean sharpness?"),
        (["dark"], "--keep takes NAME>=VALUE"),
        (["side=5"], "write side==5"),
        (["side>=nan"], "'nan' is neither a number nor a share"),
        (["side>=p100"], "p must be between 0 and 100"),
        (["side==p3"], "needs >= or <="),
        (["side>=5", "side>=7"], "limit the same"),
        (["side>=5", "side<3"], "contradict each other"),
        (["side>5", "side<=5"], "contradict each other"),
        (["dark>=3"], "dark is 0 to 1"),
        (["sharpness<=p3"], "write sharpness>=p3"),
        (["sharpness>=3.99"], "no picture is left, 8 by sharpness>=3.99"),
    ],
)
def test_a_mistake_is_a_line_with_its_cure(cutline, photos, rules, message):
    for command in ("filter", "caption"):
        found = cutline(
            command, "photos", "kept.jsonl", *(word for rule in rules for word in ("--keep", rule))
        )
        assert found.code == 2
        assert message in found.err


def test_the_measures_are_listed(cutline):
    found = cutline("filter", "--list")
    assert found.code == 0
    assert re.search(r"^sharpness +0 to 4 +1\.2 +0\.4 ", found.out, re.MULTILINE)
    assert re.search(r"^class\.LABEL ", found.out, re.MULTILINE)


def test_a_file_of_someone_else_is_not_replaced(cutline, photos, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    found = cutline("filter", "photos", "notes.txt", "--keep", "side>=1")
    assert found.code == 2
    assert "is there already" in found.err
    assert (tmp_path / "notes.txt").read_text() == "mine"
