"""A million files: the first sample at once, and little memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys, time
started = time.monotonic()
from cutline.sources import open_source
number, before = 0, ""
for sample in open_source(sys.argv[1]).samples():
    if not number:
        print(time.monotonic() - started)
    assert sample.key > before
    number, before = number + 1, sample.key
print(number)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform == "linux" else 1024**2))
"""


def measure(root):
    answer = subprocess.run([sys.executable, "-c", SCRIPT, root], capture_output=True, text=True, check=True)
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
