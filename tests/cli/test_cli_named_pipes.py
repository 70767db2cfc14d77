"""Pipes in place of files that a command names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from program import Run, rows

from processes import PATIENCE, end_started, start_cutline

pytestmark = pytest.mark.skipif(os.name == "nt", reason="has no named pipes")

FILES = {
    "pipe.toml": '[[step]]\nname = "first"\nmodel = "fake"\n',
    "pipe.json": '{"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}',
    "pipe.txt": "What is in it?",
    "pipe.csv": "image_id,caption\nx.jpg,a cat sits there\n",
    "pipe.jsonl": '{"image_id": "x.jpg", "caption": "a cat sits there"}\n',
}
COMMANDS = {
    "chain": "caption photos out.jsonl --chain pipe.toml",
    "schema": "caption photos out.jsonl --model fake --schema pipe.json",
    "prompt": "caption photos out.jsonl --model fake --prompt pipe.txt",
    "words": "caption photos out.jsonl --model fake --check banned:file=pipe.txt",
    "table": "eval pipe.csv",
    "lines": "eval pipe.jsonl",
}
WAITING = COMMANDS | {
    "job": "run pipe.toml",
    "prices": "caption photos out.jsonl --model fake --prices pipe.toml",
    "key": "caption photos out.jsonl --model openai:gpt-4o --api-key-file pipe.txt",
}


@pytest.fixture
def place(tmp_path, pictures):
    shutil.copytree(pictures, tmp_path / "photos")
    for name in FILES:
        os.mkfifo(tmp_path / name)
    yield tmp_path
    end_started()


def pipe_of(command):
    """The pipe that a command names."""
    return next(name for name in FILES if command.endswith(name) or f"{name} " in command)


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_pipe_with_a_writer_is_read_as_a_file(place, cutline: Run, command):
    pipe = pipe_of(command)
    writer = threading.Thread(target=(place / pipe).write_text, args=(FILES[pipe],), daemon=True)
    writer.start()
    done = cutline(*command.split())
    assert done.code == 0, done.err
    writer.join(PATIENCE)


@pytest.mark.parametrize("command", WAITING.values(), ids=WAITING)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_waiting_for_the_writer_of_a_pipe_ends_with_a_signal(place, command, number):
    pipe = pipe_of(command)
    process = start_cutline(*command.split(), cwd=place)
    with (place / pipe).open("wb"):  # once this opens, the program waits for what is written
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    assert err == f"cutline: interrupted while waiting for {pipe}, which is not a regular file\n"
    assert process.returncode == 128 + number


def test_paths_in_the_job_file_of_a_process_are_relative_to_the_working_folder(place):
    job = 'input_path = "photos"\noutput_path = "out.jsonl"\n[model]\nmodel = "fake"\n'
    with subprocess.Popen(["echo", job], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        process = start_cutline("run", "/dev/stdin", cwd=place, stdin=writer.stdout)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    assert len(rows(Path(place, "out.jsonl"))) == 5


def test_a_plug_in_that_is_a_pipe_is_refused_with_the_cure(place, cutline: Run):
    os.mkfifo(place / "mine.py")
    done = cutline("caption", "photos", "out.jsonl", "--model", "mine", "--plugin", "mine.py")
    assert (done.code, done.err) == (
        2,
        "cutline: the plug-in mine.py is not a regular file: write it to one\n",
    )
