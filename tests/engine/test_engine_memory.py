"""Memory follows what is under way, not how much there is."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from engine_outputs import lines, report
from peak_memory import importable
from processes import environment

HEAD_OF_LINE = """
    import asyncio
    from cutline.records import Reply

    class Captioner:
        def __init__(self, settings=""):
            self.name, self.slots = "slow", 64
            self.done = 0

        async def caption(self, picture, prompt):
            if picture.path.endswith("/0000000.png"):
                while self.done < 19_900:
                    await asyncio.sleep(0.01)
            self.done += 1
            return Reply(text="A picture.", model="slow")

        async def aclose(self):
            pass
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Makes a folder of that many names for one picture; hard links, so that it takes no space."""

    def make(count):
        folder = tmp_path_factory.mktemp("many")
        first = folder / "0000000.png"
        first.write_bytes(_PICTURE)
        for number in range(1, count):
            if number % 30_000 == 0:  # a file has 65,000 names at most
                first = folder / f"{number:07}.png"
                first.write_bytes(_PICTURE)
            else:
                os.link(first, folder / f"{number:07}.png")
        return folder

    return make


_PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
    "53de0000000c49444154789c63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)


MEASURED = """
import sys
from cutline.cli.app import run
from peak_memory import peak_mb
code = run(sys.argv[1:])
print(round(peak_mb() * 2**20))
sys.exit(code)
"""


def peak(folder, output, *, model="fake", env=None):
    """Peak resident memory of a run in bytes."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, "caption", folder, output, "--model", model, "--quiet"],
        env=importable(environment(**(env or {}))),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def check(few, large):
    print(f"{few / 1e6:.0f} MB and {large / 1e6:.0f} MB")
    assert large <= 1.1 * few + 30e6


def test_ten_times_the_pictures_take_no_more_memory(many, tmp_path):
    few = peak(many(2000), tmp_path / "few.jsonl")
    folder = many(20_000)
    check(few, peak(folder, tmp_path / "many.jsonl"))
    assert report(tmp_path / "many.jsonl")["captions"] == 20_000


def test_one_slow_picture_stops_nobody_and_fills_no_memory(many, tmp_path):
    """The first picture is answered when 19,900 others have been."""
    site = tmp_path / "site"
    info = site / "slow_plugin-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[cutline.captioners]\nslow = slow_plugin:Captioner\n")

    (site / "slow_plugin.py").write_text(textwrap.dedent(HEAD_OF_LINE))
    few = peak(many(2000), tmp_path / "few.jsonl")
    large = peak(many(20_000), tmp_path / "many.jsonl", model="slow", env={"PYTHONPATH": str(site)})
    check(few, large)
    assert [row["image_id"] for row in lines(tmp_path / "many.jsonl")] == [
        f"{n:07}.png" for n in range(20_000)
    ]


@pytest.mark.soak
def test_a_hundred_thousand_pictures_take_no_more_memory_than_ten_thousand(many, tmp_path):
    small, folder = many(10_000), many(100_000)
    few = peak(small, tmp_path / "few.jsonl")
    check(few, peak(folder, tmp_path / "many.jsonl"))
    few = peak(small, tmp_path / "few.jsonl")  # and going on when all is there
    check(few, peak(folder, tmp_path / "many.jsonl"))
