"""An enrichment job that writes into a local folder, which others read as one table."""

from __future__ import annotations

import os
import signal

import duckdb
import pandas as pd
import pyarrow.dataset
import pytest
from job_surroundings import environment_of

from processes import PATIENCE, cutline, start_cutline, wait_until

STATE, FAILURES = "_captions.parquet.cutline", "_captions.parquet.failures.jsonl"


def keys(folder):
    """The pictures in the folder's captions, as each of three readers sees them."""
    by_pandas = sorted(pd.read_parquet(folder)["image_id"])
    by_pyarrow = sorted(pyarrow.dataset.dataset(folder).to_table()["image_id"].to_pylist())
    by_duckdb = duckdb.sql(f"SELECT image_id FROM read_parquet('{folder}/**/*.parquet')").fetchall()
    assert by_pandas == by_pyarrow == sorted(key for (key,) in by_duckdb)
    return by_pandas


@pytest.mark.parametrize("state", [(), ("--state", "elsewhere")])
def test_the_folder_can_be_read_as_one_table(state, job, photos, tmp_path):
    folder = photos(3)
    whole = (folder / "01.png").read_bytes()
    (folder / "01.png").write_bytes(b"no picture")
    told = {"MODEL_NAME": "pixels:no-ocr", "DATA_PATH": folder, "OUTPUT_PATH": "out"}
    some = job(*state, **told)
    assert some.returncode == 1, some.stderr
    assert keys(tmp_path / "out") == ["00.png", "02.png"]
    assert f"out/{FAILURES}" in some.stderr.replace(os.sep, "/")
    (folder / "01.png").write_bytes(whole)
    done = job(*state, "--retry-failed", **told)
    assert done.returncode == 0, done.stderr
    assert keys(tmp_path / "out") == ["00.png", "01.png", "02.png"]
    left = {"captions.parquet"} if state else {"captions.parquet", STATE}
    assert {path.name for path in (tmp_path / "out").iterdir()} == left


def test_the_folder_can_be_read_after_sigterm(job, photos, tmp_path):
    told = {"MODEL_NAME": "fake:latency=0.2,slots=2", "DATA_PATH": photos(30), "OUTPUT_PATH": "out"}
    process = start_cutline("job", cwd=tmp_path, env=environment_of(tmp_path / "home", told))
    journal = tmp_path / "out" / STATE / "journal.jsonl"
    wait_until(lambda: journal.exists() and journal.read_bytes().count(b"\n") > 3)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGTERM
    assert 0 < len(keys(tmp_path / "out")) < 30


def test_a_job_that_was_begun_under_the_usual_names_goes_on_under_them(job, photos, tmp_path):
    folder = photos(3)
    (folder / "01.png").write_bytes(b"no picture")
    begun = ("--output-format", "parquet", "--include-raw", "--image-limit", "2")
    (tmp_path / "out").mkdir()
    first = cutline(
        "caption", folder, "out/captions.parquet", "--model", "pixels:no-ocr", *begun, cwd=tmp_path
    )
    assert first.returncode == 1, first.stderr
    done = job(MODEL_NAME="pixels:no-ocr", DATA_PATH=folder, OUTPUT_PATH="out")
    assert done.returncode == 1, done.stderr
    usual = {name.removeprefix("_") for name in (STATE, FAILURES)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"captions.parquet", *usual}
    assert sorted(pd.read_parquet(tmp_path / "out" / "captions.parquet")["image_id"]) == ["00.png", "02.png"]


def test_other_commands_find_what_a_job_left_in_a_folder(job, photos, tmp_path):
    folder = photos(3)
    (folder / "01.png").write_bytes(b"no picture")
    assert job(MODEL_NAME="pixels:no-ocr", DATA_PATH=folder, OUTPUT_PATH="out").returncode == 1
    again = cutline("caption", folder, "out/captions.parquet", "--model", "pixels:no-ocr", cwd=tmp_path)
    assert again.returncode == 1, again.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"captions.parquet", STATE, FAILURES}
    assert keys(tmp_path / "out") == ["00.png", "02.png"]


def test_an_output_with_a_name_of_its_own_has_the_usual_names_beside_it(job, photos, tmp_path):
    done = job(MODEL_NAME="fake", DATA_PATH=photos(1), OUTPUT_PATH="out/mine.parquet")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"mine.parquet", "mine.parquet.cutline"}


def test_the_state_of_an_output_whose_name_begins_so_is_not_taken_for_ones_own(photos, tmp_path):
    folder = photos(2)
    for name in ("_captions.jsonl", "captions.jsonl"):
        done = cutline("caption", folder, name, "--model", "fake", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "captions.jsonl.cutline").is_dir()
