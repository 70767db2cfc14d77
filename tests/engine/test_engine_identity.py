"""Which picture an earlier caption belongs to: the same key is not always the same picture."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from engine_outputs import captions, report
from processes import cutline_here


def run(*arguments):
    return cutline_here("caption", *arguments, "--model", "fake", "--quiet")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_another_input_is_not_taken_for_the_first(pictures, tmp_path):
    monday, tuesday = pictures(3, "monday"), pictures(3, "tuesday")
    output = tmp_path / "out.jsonl"
    assert run(monday, output).returncode == 0
    before = output.read_bytes()
    done = run(tuesday, output)
    assert done.returncode == 2
    assert f"input: {monday} → {tuesday}" in done.stderr
    assert "write to another output" in done.stderr
    assert "not in this input leave the output then" in done.stderr
    assert output.read_bytes() == before
    assert run(tuesday, output, "--on-change", "redo-all").returncode == 0
    assert {row["image_path"] for row in lines(output)} == {str(tuesday / f"0000{n}.png") for n in range(3)}


def test_a_folder_that_was_moved_keeps_its_captions_when_told_so(pictures, tmp_path):
    folder, output = pictures(3, "old"), tmp_path / "out.jsonl"
    assert run(folder, output).returncode == 0
    before = [row["caption"] for row in lines(output)]
    moved = folder.rename(tmp_path / "new")
    assert run(moved, output, "--on-change", "keep").returncode == 0
    assert [row["caption"] for row in lines(output)] == before
    assert report(output)["this_run"]["captions"] == 0


def test_a_picture_replaced_under_its_name_is_asked_about_again(pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "out.jsonl"
    assert run(folder, output).returncode == 0
    before = {row["image_id"]: row["caption"] for row in lines(output)}
    Image.new("RGB", (50, 40), "red").save(folder / "00001.png")
    done = cutline_here("caption", folder, output, "--model", "fake")
    assert done.returncode == 0
    assert "1 picture captioned again: the picture or its prompt has changed" in done.stderr
    after = {row["image_id"]: row["caption"] for row in lines(output)}
    assert {key for key in after if after[key] != before[key]} == {"00001.png"}
    assert report(output)["this_run"]["captions"] == 1


def test_captions_that_leave_the_output_are_spoken_of_and_come_back(pictures, tmp_path):
    folder, output = pictures(10), tmp_path / "out.jsonl"
    assert run(folder, output).returncode == 0
    done = cutline_here("caption", folder, output, "--model", "fake", "--image-limit", "4")
    assert "6 earlier captions are not in the output" in done.stderr
    assert len(lines(output)) == 4
    assert run(folder, output).returncode == 0
    assert len(lines(output)) == 10
    assert report(output)["this_run"]["captions"] == 0


def test_failures_that_leave_the_input_are_no_captions(pictures, tmp_path):
    folder, output = pictures(4), tmp_path / "out.jsonl"
    for name in ("00001.png", "00003.png"):
        (folder / name).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    arguments = ("caption", folder, output, "--model", "pixels")
    assert cutline_here(*arguments).returncode == 1
    (folder / "00003.png").unlink()
    assert "not in the output" not in cutline_here(*arguments).stderr
    (folder / "00002.png").unlink()
    done = cutline_here(*arguments)
    assert "1 earlier caption is not in the output" in done.stderr


def test_a_sidecar_that_was_taken_away_is_written_again(pictures):
    folder = pictures(4)
    arguments = (folder, "--output-format", "sidecar")
    (folder / "00000.txt").write_text("Mine.")
    assert run(*arguments).returncode == 0
    words = (folder / "00002.txt").read_text()
    (folder / "00000.txt").unlink()
    (folder / "00002.txt").unlink()
    assert run(*arguments).returncode == 0
    assert (folder / "00002.txt").read_text() == words
    assert "checksum" in (folder / "00000.txt").read_text()


def test_a_sidecar_that_was_edited_by_hand_is_left_alone(pictures):
    folder = pictures(4)
    arguments = (folder, "--output-format", "sidecar")
    assert run(*arguments).returncode == 0
    (folder / "00001.txt").write_text("Better words.")
    (folder / "00009.png").write_bytes((folder / "00003.png").read_bytes())
    assert run(*arguments).returncode == 0
    assert (folder / "00001.txt").read_text() == "Better words."
    assert "checksum" in (folder / "00009.txt").read_text()


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "parquet", "webdataset"])
def test_a_run_that_was_stopped_shows_what_it_has_and_goes_on(form, pictures, tmp_path):
    folder = pictures(40)
    output = tmp_path / ("shards" if form == "webdataset" else f"out.{form}")
    arguments = ("caption", folder, output, "--output-format", form, "--model", "fake:slots=1")
    done = cutline_here(*arguments, "--budget-tokens", "120")
    assert done.returncode == 3, done.stderr
    part = captions(form, output)
    assert 0 < len(part) < 40
    assert cutline_here(*arguments).returncode == 0
    whole = captions(form, output)
    assert len(whole) == 40
    assert part == whole[: len(part)]
