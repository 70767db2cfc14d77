"""The output of a run on a tar with two prompts in the studio: its pictures, and the second prompt's captions."""

from __future__ import annotations

import io
import json
import tarfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import cutline
from cutline.errors import PictureError
from cutline.studio.settings import StudioSettings
from studio_process import Studio, start_studio, stop_studio, wait_until_open


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A table whose run read a tar outside its folder."""
    (tmp_path / "out").mkdir()
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for number in range(3):
            Image.new("RGB", (64, 48), (80 * number, 90, 160)).save(tmp_path / "one.png")
            tar.add(tmp_path / "one.png", f"{number}.png")
    prompts = {"short": "in short", "long": "at length"}
    cutline.caption(tmp_path / "in.tar", tmp_path / "out/two.jsonl", model="fake", prompt=prompts)
    return tmp_path / "out/two.jsonl"


@pytest.fixture
def studio(output: Path) -> Iterator[Studio]:
    started = wait_until_open(start_studio(output.with_name("two.jsonl:long")))
    yield started
    stop_studio(started)


def test_pictures_captions_and_exports_of_the_second_prompt(studio: Studio, tmp_path: Path) -> None:
    for number in range(3):
        with urllib.request.urlopen(f"{studio.url}/studio/pictures/{number}", timeout=60) as response:
            picture = Image.open(io.BytesIO(response.read()))
        assert picture.getpixel((5, 5)) == (80 * number, 90, 160)
    result = studio.job("POST", "export", {"format": "jsonl"})
    assert (result["written"], Path(result["output"]).name) == (3, "two.jsonl-long-export.jsonl")
    lines = Path(result["output"]).read_text().splitlines()
    assert [json.loads(line)["caption"].endswith("prompted by long.") for line in lines] == [True] * 3


def test_the_page_reads_no_input_of_a_run_outside_the_roots(output: Path, tmp_path: Path) -> None:
    with StudioSettings(roots=(tmp_path,)).open(str(output)) as dataset:
        assert dataset.location(0).read()
    with StudioSettings(roots=(output.parent,)).open(str(output)) as dataset, pytest.raises(PictureError):
        dataset.location(0).read()
