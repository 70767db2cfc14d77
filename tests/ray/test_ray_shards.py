"""How a source is split among workers, before anything of Ray runs."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tracemalloc

import pytest

from cutline.ray.shards import Shards
from cutline.records import Skip
from cutline.sources import SourceOptions, open_source
from processes import environment


@pytest.fixture
def listed(tmp_path):
    """Makes a list of so many URLs."""

    def make(count):
        path = tmp_path / "urls.txt"
        path.write_text("".join(f"https://pictures.example/{number}.jpg\n" for number in range(count)))
        return open_source(path)

    return make


def split(source, tmp_path, *, per_task=None, workers=2, limit=None, start=0):
    """The keys of each shard, in the order in which they are handed out."""
    shards = Shards.of(source, per_task=per_task, workers=workers, limit=limit, folder=tmp_path, start=start)
    made = []
    while (shard := shards.first) is not None:
        keys = [sample.key for sample in shard.source.samples()]
        work = shard.work(has_history=False, flush_every=1)
        made.append(keys[work.start : work.stop])
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


def tars(folder, sizes):
    """Tars with so many pictures each; they do not tell how many."""
    folder.mkdir()
    for number, size in enumerate(sizes):
        with tarfile.open(folder / f"{number:03}.tar", "w") as tar:
            for place in range(size):
                tar.addfile(member := tarfile.TarInfo(f"{place:05}.png"), io.BytesIO(b"picture"))
                assert member.size == 0
    return open_source(folder)


@pytest.mark.parametrize("limit", [None, 900, 5000])
@pytest.mark.parametrize("start", [0, 1, 299, 300, 301, 899, 1199, 1200])
@pytest.mark.parametrize("kind", ["urls", "tars"])
def test_what_is_left_begins_at_any_sample(kind, start, limit, listed, tmp_path):
    source = listed(1200) if kind == "urls" else tars(tmp_path / "tars", [300, 1, 299, 600])
    keys = [sample.key for sample in source.samples()]
    parts = split(source, tmp_path, per_task=300, limit=limit, start=start)
    assert [key for part in parts for key in part] == keys[start:limit]
    assert all(parts), "no shard without samples"


@pytest.mark.parametrize("kind", ["tars", "tables"])
def test_pictures_beside_what_is_split_are_reported_by_the_driver(kind, tmp_path):
    """No part sees all that lies there."""
    folder = tmp_path / "input"
    if kind == "tars":
        tars(folder, [3, 3])
    else:
        folder.mkdir()
        for number in range(2):
            (folder / f"{number}.csv").write_text(f"image\n{number}.png\n")
            (folder / f"{number}.png").write_bytes(b"named by a row")
    (folder / "stray.png").write_bytes(b"a picture")
    source = open_source(folder, SourceOptions(source_type="webdataset" if kind == "tars" else "table"))
    parts = split(source, tmp_path, workers=2)
    assert len(parts) == 2
    (left,) = source.left_over
    assert (left.kind, left.count, list(left.examples)) == ("unread-picture", 1, ["stray.png"])


def test_pictures_that_wait_are_not_all_in_memory(listed, tmp_path):
    """Each part has little; all but the first wait."""
    shards = Shards.of(listed(400), per_task=10, workers=16, limit=None, folder=tmp_path)
    tracemalloc.start()
    order = []
    while (shard := shards.next(16)) is not None:
        order.append(shard)
        for sample in shard.source.samples():
            shard.put((sample, Skip(key=sample.key, reason="none"), bytes(1_000_000)))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(order) == 40
    assert held < 280e6
    while (shard := shards.first) is not None:
        taken = shard.entries.take()
        assert [len(picture) for _, _, picture in taken] == [1_000_000] * 10
        shards.step()


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
