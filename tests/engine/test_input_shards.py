"""`--shard`: parts of an input for several machines."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.cli import main


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(30):
        Image.new("RGB", (16, 12), (number * 8, 90, 30)).save(folder / f"{number:02}.png")
    monkeypatch.chdir(tmp_path)
    return folder


def caption(*more: str) -> int:
    return main(["caption", "photos", *more, "--model", "fake", "-q"])


def ids(output: str) -> list[str]:
    return [json.loads(line)["image_id"] for line in Path(output).read_text("utf-8").splitlines()]


def test_the_parts_together_are_the_input_and_hold_when_pictures_are_added(photos, capsys):
    for number in (1, 2, 3):
        assert caption(f"{number}.jsonl", "--shard", f"{number}/3") == 0
    parts = [ids(f"{number}.jsonl") for number in (1, 2, 3)]
    assert sorted(itertools.chain(*parts)) == sorted(path.name for path in photos.iterdir())
    assert all(parts)
    Image.new("RGB", (16, 12), "navy").save(photos / "0.png")
    main(["caption", "photos", "1.jsonl", "--model", "fake", "--shard", "1/3"])
    assert set(parts[0]) <= set(ids("1.jsonl"))
    assert {*ids("1.jsonl")} - {*parts[0]} <= {"0.png"}


def test_tables_and_python_have_parts_too(photos):
    Path("list.csv").write_text(
        "path\n" + "".join(f"photos/{number:02}.png\n" for number in range(30)), "utf-8"
    )
    found = [cutline.caption("list.csv", f"{part}.csv", model="fake", shard=f"{part}/2") for part in (1, 2)]
    assert sum(one.report.counts.captions for one in found) == 30
    assert all(one.report.counts.captions for one in found)


@pytest.mark.parametrize("shard", ["0/2", "3/2", "2", "a/b", "1/0"])
def test_what_is_no_part_is_refused(photos, capsys, shard):
    assert caption("out.jsonl", "--shard", shard) == 2
    assert "--shard is I/N with I from 1 to N, such as 1/2 and 2/2" in capsys.readouterr().err


@pytest.mark.parametrize("more", [("--dedup", "exact"), ("--keep", "sharpness>=p2"), ("--check", "same")])
def test_what_compares_all_pictures_is_refused_with_a_part(photos, capsys, more):
    assert caption("out.jsonl", "--shard", "1/2", *more) == 2
    err = capsys.readouterr().err
    assert "--shard has a part: remove one" in err
    assert more[0] in err


def test_another_part_needs_another_output(photos, capsys):
    caption("out.jsonl", "--shard", "1/2")
    assert caption("out.jsonl", "--shard", "2/2") == 2
    err = capsys.readouterr().err
    assert "shard: 1/2 → 2/2" in err
    assert "write to another output" in err


@pytest.mark.parametrize(
    ("option", "meant"),
    [("--num-shards", "--shard 1/2"), ("--offset", "--shard 1/2"), ("--shard-size", "--samples-per-shard")],
)
def test_other_names_lead_to_the_option(photos, capsys, option, meant):
    assert caption("out.jsonl", option, "2") == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err
