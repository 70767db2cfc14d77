"""The list of rejected pictures beside an output: each with its rule, the value, and what was measured."""

from __future__ import annotations

import json

import pytest
from batching import collect

import cutline
from cutline.engine.journal import Journal
from measured_pictures import blurred, file_of, scene
from processes import cutline_here

KEEP = ("--keep", "side>=100", "--keep", "sharpness>=p20", "--dedup", "exact")


def rows(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def caption(*arguments, expect=0):
    done = cutline_here("caption", *arguments)
    assert done.returncode == expect, done.stderr
    return done.stderr


@pytest.fixture
def photos(tmp_path):
    """Three good pictures, and one each that is soft, small and a copy."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"good{number}.png").write_bytes(file_of(scene(seed=number)))
    (folder / "later.png").write_bytes((folder / "good1.png").read_bytes())
    blurred(scene(seed=9)).save(folder / "soft.png")
    scene(90, 70, seed=10).save(folder / "tiny.png")
    return folder


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "shards/"])
def test_each_rejected_picture_is_listed(photos, tmp_path, name):
    form = ("--output-format", "webdataset") if name == "shards/" else ()
    lines = caption(photos, tmp_path / name, "--model", "fake", *KEEP, *form)
    listed = tmp_path / f"{name.rstrip('/')}.rejected.jsonl"
    assert "3 skipped (1 exact duplicate, 1 sharpness>=p20, 1 side>=100)" in lines
    assert f"→ {listed}" in lines
    later, soft, tiny = rows(listed)
    assert (later["rule"], later["kept"]) == ("exact duplicate", "good1.png")
    assert (soft["image_id"], soft["rule"]) == ("soft.png", "sharpness>=p20")
    assert soft["image_path"] == str(photos / "soft.png")
    assert soft["reason"].startswith(f"sharpness {soft['sharpness']:.2g} < ")
    assert soft["reason"].endswith(" (p20)")
    assert (tiny["rule"], tiny["reason"], tiny["side"]) == ("side>=100", "side 70 < 100", 70)


def test_the_list_follows_the_rules(photos, tmp_path):
    output, listed = tmp_path / "out.jsonl", tmp_path / "out.jsonl.rejected.jsonl"
    caption(photos, output, "--model", "fake", "--keep", "side>=100")
    assert [row["image_id"] for row in rows(listed)] == ["tiny.png"]
    scene(80, 60, seed=11).save(photos / "zz.png")
    caption(photos, output, "--model", "fake", "--keep", "side>=100")
    assert [row["image_id"] for row in rows(listed)] == ["tiny.png", "zz.png"]
    caption(photos, output, "--model", "fake")
    assert not listed.exists()


def test_what_filters_and_checks_skip_is_listed_with_what_was_paid(photos, tmp_path):
    arguments = ("--filter", "size=100", "--check", "words=100..:skip")
    caption(photos, tmp_path / "out.jsonl", "--model", "fake", *arguments)
    *checked, tiny = rows(tmp_path / "out.jsonl.rejected.jsonl")
    assert (tiny["rule"], tiny["width"], "steps" in tiny) == ("side below 100", 90, False)
    assert {row["rule"] for row in checked} == {"fewer than 100 words"}
    assert all(row["words"] < 100 and row["steps"][0]["text"] for row in checked)


def test_pictures_that_have_a_caption_are_not_rejected(photos, tmp_path):
    caption(photos, photos, "--output-format", "sidecar", "--model", "fake")
    (photos / "good0.txt").write_text("mine")
    lines = caption(photos, photos, "--output-format", "sidecar", "--model", "fake")
    assert "skipped" in lines
    assert not [*tmp_path.glob("*rejected*"), *photos.glob("*rejected*")]


def test_a_foreign_file_in_its_place_is_left_alone(photos, tmp_path):
    listed = tmp_path / "out.jsonl.rejected.jsonl"
    listed.write_text('{"mine": 1}\n')
    lines = caption(photos, tmp_path / "out.jsonl", "--model", "fake", *KEEP, expect=2)
    assert "is where the list of rejected pictures is written, and is not one: move it away" in lines
    assert listed.read_text() == '{"mine": 1}\n'


def edit(path):
    path.write_text(path.read_text().replace('{"image_id"', '{"note":"mine","image_id"'))
    return path.read_bytes()


@pytest.mark.parametrize("rules", [KEEP, KEEP[:2], ()], ids=["the same rules", "other rules", "none"])
def test_an_edited_list_of_rejected_pictures_is_left_alone(photos, tmp_path, rules):
    output, listed = tmp_path / "out.jsonl", tmp_path / "out.jsonl.rejected.jsonl"
    caption(photos, output, "--model", "fake", *KEEP)
    captions, edited = output.read_bytes(), edit(listed)
    lines = caption(photos, output, "--model", "fake", *rules, expect=2)
    cures = "move it away, choose another output, or replace both with --existing overwrite"
    assert f"{listed} was edited since it was written: {cures}" in lines
    assert (output.read_bytes(), listed.read_bytes()) == (captions, edited)
    listed.rename(tmp_path / "mine.jsonl")
    caption(photos, output, "--model", "fake", *rules)
    assert listed.exists() == bool(rules)


@pytest.mark.parametrize("more", [(), ("--trigger", "mine")], ids=["the same", "another trigger"])
def test_an_edited_list_of_failures_is_left_alone(photos, tmp_path, more):
    output, listed = tmp_path / "out.jsonl", tmp_path / "out.jsonl.failures.jsonl"
    check = ("--check", "words=100..:fail")
    caption(photos, output, "--model", "fake", *check, expect=1)
    captions, edited = output.read_bytes(), edit(listed)
    lines = caption(photos, output, "--model", "fake", *check, *more, expect=2)
    assert f"{listed} was edited since it was written: move it away" in lines
    assert (output.read_bytes(), listed.read_bytes()) == (captions, edited)
    caption(photos, output, "--model", "fake", *check, *more, "--existing", "overwrite", expect=1)
    assert b"mine" not in listed.read_bytes()


def test_a_list_is_no_input_and_no_output(photos, tmp_path):
    output = photos / "out.jsonl"
    caption(photos, output, "--model", "fake", *KEEP)
    lines = caption(photos, output, "--model", "fake", *KEEP)
    assert "nothing to caption" in lines
    lines = caption(photos, f"{output}.rejected.jsonl", "--model", "fake", expect=2)
    assert "out.jsonl.rejected.jsonl" in lines
    assert len(rows(photos / "out.jsonl.rejected.jsonl")) == 3


def test_an_output_of_an_earlier_version_gets_its_list(photos, tmp_path):
    output, listed = tmp_path / "out.jsonl", tmp_path / "out.jsonl.rejected.jsonl"
    caption(photos, output, "--model", "fake", *KEEP)
    before, mark = rows(listed), tmp_path / "out.jsonl.cutline/mark.json"
    data = json.loads(mark.read_bytes())
    del data["rejected"]
    mark.write_text(json.dumps(data))
    listed.unlink()
    lines = caption(photos, output, "--model", "fake", *KEEP)
    assert "3 new, 3 from earlier runs" in lines
    assert rows(listed) == before


def test_python_has_the_rejected_pictures_with_and_without_an_output(photos, tmp_path):
    options = {"model": "fake", "keep": ["side>=100"], "dedup": "exact", "progress": False}
    kept = cutline.caption(photos, tmp_path / "out.jsonl", **options)
    without = cutline.caption(photos, **options)
    for captions in (kept, without):
        found = {row["image_id"]: row["rule"] for row in captions.rejected}
        assert found == {"later.png": "exact duplicate", "tiny.png": "side>=100"}
    assert cutline.caption([photos / "good0.png"], model="fake", progress=False).rejected == []


def test_the_report_shows_shares_and_duplicates(photos, tmp_path):
    caption(photos, tmp_path / "out.jsonl", "--model", "fake", *KEEP)
    done = cutline_here("report", tmp_path / "out.jsonl", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    shown = page[page.index('id="skips"') :]
    for text in ("exact duplicate of good1.png", "sharpness&gt;=p20", "side 70 &lt; 100"):
        assert text in shown


def test_candidates_of_a_comparison_have_theirs(photos, tmp_path):
    done = cutline_here(
        "compare", "fake", "pixels", "--input-path", photos, "-o", tmp_path / "page.html", *KEEP
    )
    assert done.returncode == 0, done.stderr
    lists = [*tmp_path.rglob("*.rejected.jsonl")]
    assert len(lists) == 2
    assert all(len(rows(listed)) == 3 for listed in lists)


def test_decisions_of_rules_are_not_in_the_journal(photos, tmp_path):
    """Another rule costs nothing: what a rule rejects was not requested."""
    caption(photos, tmp_path / "out.jsonl", "--model", "fake", *KEEP)
    journal = Journal(tmp_path / "out.jsonl.cutline/journal.jsonl", read_only=True)
    journal.load()
    assert len(journal) == 3


def test_a_job_file_has_them_too(photos, tmp_path):
    (tmp_path / "job.toml").write_text(
        f'input_path = "{photos}"\noutput_path = "{tmp_path / "out.jsonl"}"\n'
        '[model]\nmodel = "fake"\n[filters]\nkeep = ["side>=100"]\ndedup = "exact"\n'
    )
    done = cutline_here("run", tmp_path / "job.toml")
    assert done.returncode == 0, done.stderr
    assert [row["rule"] for row in rows(tmp_path / "out.jsonl.rejected.jsonl")] == [
        "exact duplicate",
        "side>=100",
    ]


def test_batches_send_only_what_is_kept_and_list_the_rest(service, photos, tmp_path):
    output = tmp_path / "out.jsonl"
    done = service.submit(photos, output, *KEEP)
    assert done.returncode == 0, done.stderr
    assert "3 pictures skipped: 1 exact duplicate, 1 sharpness>=p20, 1 side>=100" in done.stderr
    service.answer_all()
    collected = collect(output)
    assert collected.returncode == 0, collected.stderr
    assert len(rows(output)) == 3
    assert {row["image_id"] for row in rows(tmp_path / "out.jsonl.rejected.jsonl")} == {
        "later.png",
        "soft.png",
        "tiny.png",
    }
