"""Temporary folders of processes that were killed."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from processes import PATIENCE

pytestmark = pytest.mark.skipif(os.name == "nt", reason="folders stay there until the system removes them")

HOLD = """
import sys
from cutline.temporary_folders import temporary_folder

with temporary_folder("metrics") as folder:
    (folder / "counts.db").write_text("1")
    print(folder.name, flush=True)
    sys.stdin.read()
"""


def hold(tmp_path):
    """A process that holds a folder until its input ends, and the folder."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, tmp_path / process.stdout.readline().strip()


def test_the_folder_of_a_killed_process_goes_with_the_next_one(tmp_path):
    killed, left = hold(tmp_path)
    alive, held = hold(tmp_path)
    others = tmp_path / "cutline-of-somebody"
    others.mkdir()
    (tmp_path / "cutline-link").symlink_to(held)
    with alive, killed:
        killed.kill()
        killed.wait(PATIENCE)
        assert (left / "counts.db").exists()
        last, own = hold(tmp_path)
        with last:
            assert not left.exists()
            assert (held / "counts.db").exists()
            assert others.is_dir()
            last.communicate(timeout=PATIENCE)
        assert not own.exists()
        alive.communicate(timeout=PATIENCE)
    assert not held.exists()
