"""An output that was taken away is written again from the journal, without asking anything."""

from __future__ import annotations

import shutil

import pytest

from processes import cutline


def pictures(folder, count=6):
    from PIL import Image

    folder.mkdir()
    for number in range(count):
        Image.new("RGB", (32, 32), (number * 20, 0, 0)).save(folder / f"{number}.png")
    return folder


@pytest.mark.parametrize(
    ("output", "form", "gone"),
    [
        ("out.jsonl", "jsonl", "out.jsonl"),
        ("out.json", "json", "out.json"),
        ("shards", "webdataset", "shards/00000.tar"),
    ],
)
def test_a_removed_output_is_written_again_from_the_journal(tmp_path, output, form, gone):
    source = pictures(tmp_path / "in")
    arguments = ("caption", source, output, "--output-format", form, "--model", "fake")
    assert cutline(*arguments, cwd=tmp_path).returncode == 0
    before = (tmp_path / gone).read_bytes()
    (tmp_path / gone).unlink()
    result = cutline(*arguments, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "nothing to caption" in result.stderr
    assert (tmp_path / gone).read_bytes() == before


def test_without_its_state_folder_an_output_is_somebody_elses(tmp_path):
    source = pictures(tmp_path / "in")
    arguments = ("caption", source, "out.jsonl", "--model", "fake")
    assert cutline(*arguments, cwd=tmp_path).returncode == 0
    shutil.rmtree(tmp_path / "out.jsonl.cutline")
    result = cutline(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert "--existing overwrite" in result.stderr
