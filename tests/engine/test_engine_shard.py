"""A shard's task pickles, and another process gets the same outcomes from it."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import pickle
import tarfile
from concurrent.futures import ProcessPoolExecutor

import pytest
from engine_shards import run_pickled, without_times

from cutline.engine import assembly
from cutline.engine.journal import Journal
from cutline.engine.run import run_job
from cutline.engine.shard_task import ShardTask
from cutline.job import Job
from engine_pictures import fill

COUNT = 9


@pytest.fixture(scope="module")
def other_process():
    """Another process, which has nothing of this one but what is pickled."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def _folder(tmp_path):
    folder = tmp_path / "pictures"
    fill(folder, COUNT)
    (folder / "00003.txt").write_text("a text that was there before")
    (folder / "00005.png").write_bytes(b"no picture")
    return folder


def _table(tmp_path):
    folder = _folder(tmp_path)
    rows = [{"image": str(folder / name)} for name in sorted(path.name for path in folder.glob("*.png"))]
    table = tmp_path / "table.jsonl"
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return table


def _tar(tmp_path):
    folder = _folder(tmp_path)
    with tarfile.open(tmp_path / "shard.tar", "w") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name)
    return tmp_path / "shard.tar"


@pytest.mark.parametrize("write_input", [_folder, _table, _tar])
def test_another_process_gets_the_outcomes_of_a_run_here(tmp_path, other_process, write_input):
    job = Job.from_dict(
        {
            "input_path": str(write_input(tmp_path)),
            "output_path": str(tmp_path / "out.jsonl"),
            "model": {"model": "pixels"},
            "prompts": {"trigger": "sks", "caption_suffix": ", a photo"},
            "output": {"existing": "append"},
            "run": {"stop_after_failures": 0},
        }
    )
    report = asyncio.run(run_job(job))
    assert (report.counts.captions, report.counts.failures) == (COUNT - 1, 1)
    journal = Journal(tmp_path / "out.jsonl.cutline" / "journal.jsonl")
    journal.load()
    here = [without_times(journal.get(sample.key)) for sample in assembly.source_of(job).samples()]
    there = []
    for start, stop in (0, 4), (4, None):  # two shards of one source
        task = ShardTask(
            job=job, source=assembly.source_of(job), rules=assembly.rules_of(job), start=start, stop=stop
        )
        work = other_process.submit(run_pickled, pickle.dumps(task), tmp_path)
        there += work.result(timeout=300)
    assert there == here
    assert "sks" in here[0]["text"]
