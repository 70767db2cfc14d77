"""Exports of runs whose pictures lie inside a tar or a table read them there."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from program import Run

NAMES = ("crimson", "gold", "orchid", "royalblue", "seagreen")


def make_tar(pictures: Path, tar: Path) -> str:
    tar.parent.mkdir(exist_ok=True)
    with tarfile.open(tar, "w") as file:
        for name in NAMES:
            file.add(pictures / f"{name}.jpg", f"{name}.jpg")
    return str(tar)


def make_shards(pictures: Path, folder: Path) -> str:
    make_tar(pictures, folder / "00000.tar")
    make_tar(pictures, folder / "00001.tar")
    return str(folder)


def make_table(pictures: Path, file: Path) -> str:
    table = {"n": range(802, 807), "image": [(pictures / f"{name}.jpg").read_bytes() for name in NAMES]}
    pq.write_table(pa.table({name: list(values) for name, values in table.items()}), file)
    return str(file)


INPUTS = {"in.tar": make_tar, "shards": make_shards, "bytes.parquet": make_table}


def digests_in(folder: Path) -> set[str]:
    return {hashlib.md5(file.read_bytes()).hexdigest() for file in folder.rglob("*.jpg")}


@pytest.mark.parametrize(("name", "make"), INPUTS.items(), ids=INPUTS)
def test_pictures_are_read_from_the_input_of_the_run(
    here: Run, pictures: Path, tmp_path: Path, name: str, make: Callable[[Path, Path], str]
) -> None:
    (tmp_path / "out").mkdir()
    ran = here("caption", make(pictures, tmp_path / name), "out/run.jsonl", "-m", "fake")
    assert ran.code == 0, ran.err
    exported = here("export", "out/run.jsonl", "copies", "--format", "folder")
    assert exported.code == 0, exported.err
    expected = {hashlib.md5((pictures / f"{each}.jpg").read_bytes()).hexdigest() for each in NAMES}
    assert digests_in(tmp_path / "copies") == expected
    texts = sorted(file.read_text() for file in (tmp_path / "copies").rglob("*.txt"))
    found = here("find", "out/run.jsonl", "--captions").out.splitlines()
    assert texts == sorted(line.split("\t")[1] for line in found)


def make_keyed_table(pictures: Path, file: Path) -> str:
    table = {
        "sku": [f"SKU-{number}" for number in range(5)],
        "front": [(pictures / f"{name}.jpg").read_bytes() for name in NAMES],
        "back": [b"no picture"] * 5,
    }
    pq.write_table(pa.table(table), file)
    return str(file)


def make_double_samples(pictures: Path, tar: Path) -> str:
    with tarfile.open(tar, "w") as file:
        for number, name in enumerate(NAMES):
            file.add(pictures / f"{name}.jpg", f"{number // 2}.{'left' if number % 2 else 'right'}.jpg")
    return str(tar)


OPTIONS = {
    "keyed.parquet": (make_keyed_table, ("--key-column", "sku", "--image-column", "front")),
    "double.tar": (make_double_samples, ("--sample-pictures", "each")),
}


@pytest.mark.parametrize(("name", "made"), OPTIONS.items(), ids=OPTIONS)
def test_pictures_have_the_keys_that_the_options_of_the_run_gave_them(
    here: Run, pictures: Path, tmp_path: Path, name: str, made: tuple[Callable[..., str], tuple[str, ...]]
) -> None:
    make, options = made
    ran = here("caption", make(pictures, tmp_path / name), "run.jsonl", "-m", "fake", *options)
    assert ran.code == 0, ran.err
    exported = here("export", "run.jsonl", "copies", "--format", "folder")
    assert exported.code == 0, exported.err
    expected = {hashlib.md5((pictures / f"{each}.jpg").read_bytes()).hexdigest() for each in NAMES}
    assert digests_in(tmp_path / "copies") == expected
    assert here("report", "run.jsonl", "run.html").code == 0
    assert (tmp_path / "run.html").read_text("utf-8").count("data:image/") >= len(NAMES)
    again = here("caption", str(tmp_path / name), "run.jsonl", "-m", "fake", *options)
    assert (again.code, "nothing to caption" in again.err) == (0, True), again.err


@pytest.mark.parametrize(("name", "make"), INPUTS.items(), ids=INPUTS)
def test_a_table_without_its_run_names_the_option_that_finds_the_pictures(
    here: Run, pictures: Path, tmp_path: Path, name: str, make: Callable[[Path, Path], str]
) -> None:
    make(pictures, tmp_path / name)
    assert here("caption", name, "run.jsonl", "-m", "fake").code == 0
    (tmp_path / "sent").mkdir()
    shutil.copy(tmp_path / "run.jsonl", tmp_path / "copy.jsonl")
    shutil.copy(tmp_path / "run.jsonl", tmp_path / "sent")

    refused = here("export", "copy.jsonl", "copies", "--format", "folder")
    option = re.search(r"exists: add (--image-root .*)", refused.err)
    assert option is not None, refused.err
    exported = here("export", "copy.jsonl", "copies", "--format", "folder", *shlex.split(option[1]))
    assert exported.code == 0, exported.err

    refused = here("export", "sent/run.jsonl", "others", "--format", "folder")
    assert f"--image-root names where {name} is now" in refused.err
    exported = here("export", "sent/run.jsonl", "others", "--format", "folder", "--image-root", name)
    assert exported.code == 0, exported.err
    assert digests_in(tmp_path / "others") == digests_in(tmp_path / "copies")


def test_a_file_that_can_hold_no_pictures_is_no_image_root(here: Run, pictures: Path, tmp_path: Path) -> None:
    make_tar(pictures, tmp_path / "in.tar")
    assert here("caption", "in.tar", "run.jsonl", "-m", "fake").code == 0
    (tmp_path / "notes.md").write_text("none")
    refused = here("find", "run.jsonl", "--image-root", "notes.md")
    assert "--image-root notes.md is not a folder, a tar, a zip or a table" in refused.err
