"""How a source is split among workers, before anything of Ray runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cutline.ray.shards import Shards
from cutline.sources import open_source
from processes import environment


@pytest.fixture
def listed(tmp_path):
    """Makes a list of so many URLs."""

    def make(count):
        path = tmp_path / "urls.txt"
        path.write_text("".join(f"https://pictures.example/{number}.jpg\n" for number in range(count)))
        return open_source(path)

    return make


def split(source, tmp_path, *, per_task=None, workers=2, limit=None):
    """The keys of each shard, in the order in which they are handed out."""
    shards = Shards.of(source, per_task=per_task, workers=workers, limit=limit, folder=tmp_path)
    made = []
    while (shard := shards.first) is not None:
        keys = [sample.key for sample in shard.source.samples()]
        made.append(keys[: shard.stop])
        shards.step()
    return made


@pytest.mark.parametrize("workers", [1, 2, 7, 64])
@pytest.mark.parametrize("count", [1, 700, 6000, 12_000])
def test_parts_are_the_whole_and_no_worker_waits_long_for_the_last(listed, tmp_path, count, workers):
    source = listed(count)
    parts = split(source, tmp_path, workers=workers)
    assert [key for part in parts for key in part] == [sample.key for sample in source.samples()]
    sizes = [len(part) for part in parts]
    assert max(sizes) <= 1024
    assert len(sizes) >= min(workers, count)
    assert sizes[-1] <= max(256, count / workers / 8), "all end at about the same time"


def test_the_users_size_holds_for_all(listed, tmp_path):
    sizes = {len(part) for part in split(listed(1000), tmp_path, per_task=30)}
    assert max(sizes) <= 30
    assert min(sizes) >= 25


def test_a_limit_ends_within_a_part(listed, tmp_path):
    source = listed(5000)
    parts = split(source, tmp_path, limit=1234)
    assert [key for part in parts for key in part] == [sample.key for sample in source.samples()][:1234]


@pytest.mark.soak
def test_a_million_urls_are_split_in_bounded_memory(tmp_path):
    path = tmp_path / "urls.txt"
    with path.open("w") as file:
        file.writelines(f"https://pictures.example/{number}.jpg\n" for number in range(1_000_000))
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from cutline.ray.shards import Shards\n"
        "from cutline.sources import open_source\n"
        "shards = Shards.of(open_source(sys.argv[1]), per_task=None, workers=64, limit=None, folder=Path('.'))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, shards.are_left)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    peak, are_left = done.stdout.split()
    assert are_left == "True", done.stderr
    assert int(peak) * (1 if sys.platform == "darwin" else 1024) < 500e6
