"""A million files: the first sample at once, and little memory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from peak_memory import importable
from processes import PATIENCE

SCRIPT = """
import sys, time
from peak_memory import peak_mb
started = time.monotonic()
from cutline.sources import open_source
number, before = 0, ""
for sample in open_source(sys.argv[1]).samples():
    if not number:
        print(time.monotonic() - started)
    assert sample.key > before
    number, before = number + 1, sample.key
print(number)
print(peak_mb())
"""


def measure(root):
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, root], env=importable(), capture_output=True, text=True, check=True
    )
    first, number, memory = answer.stdout.split()
    return float(first), int(number), float(memory)


def fill(folder, number):
    folder.mkdir()
    descriptor = os.open(folder, os.O_RDONLY)
    for index in range(number):
        os.close(os.open(f"IMG_{index:07}.JPG", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def test_memory_follows_the_largest_folder_not_the_number_of_folders(tmp_path):
    fill(tmp_path / "one", 2000)
    one = measure(tmp_path / "one")
    (tmp_path / "many").mkdir()
    for number in range(10):
        fill(tmp_path / "many" / str(number), 2000)
    many = measure(tmp_path / "many")
    assert (one[1], many[1]) == (2000, 20000)
    assert many[2] < one[2] + 5


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("folders", [1, 100])
def test_a_million_files(tmp_path, folders):
    for number in range(folders):
        fill(tmp_path / f"f{number:03}", 1_000_000 // folders)
    first, number, memory = measure(tmp_path)
    assert number == 1_000_000
    assert first < 10
    assert memory < 1000


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_the_first_caption_of_a_million_comes_within_ten_seconds(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out.jsonl"
    fill(source, 1_000_000)
    started = time.monotonic()
    command = [sys.executable, "-m", "cutline", "caption", source, output, "--model", "fake", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (output.exists() and output.stat().st_size):
            assert process.poll() is None
            assert time.monotonic() - started < 60
            time.sleep(0.05)
        first = time.monotonic() - started
        time.sleep(15)  # while it captions, the files are counted too
        memory = psutil.Process(process.pid).memory_info().rss
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)
    print(f"first caption after {first:.1f} s, {memory / 1e6:.0f} MB")
    assert first <= 10
    assert memory < 1e9
