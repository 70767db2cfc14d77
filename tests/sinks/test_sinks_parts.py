"""Parquet in several files, which are there as soon as they are full."""

from __future__ import annotations

import itertools
import shutil

import pytest
from PIL import Image
from pyarrow import parquet

import cutline
from cutline.errors import ConfigError, OutputExists


@pytest.fixture
def photos(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(11):
        Image.new("RGB", (40, 30), (20 * number, 60, 90)).save(folder / f"{number:02}.png")
    return folder


def keys(folder, stem="out"):
    return {
        path.name: parquet.read_table(path)["image_id"].to_pylist()
        for path in sorted(folder.glob(f"{stem}-*.parquet"))
    }


def names(first, last):
    return [f"{number:02}.png" for number in range(first, last)]


def caption(limit=-1, **options):
    return cutline.caption("photos", "out.parquet", image_limit=limit, **{"rows_per_file": 4, **options})


def test_files_fill_one_after_the_other_and_the_last_grows(photos, tmp_path):
    assert [row["image_id"] for row in caption(3)] == names(0, 3)
    assert keys(tmp_path) == {"out-00000.parquet": names(0, 3)}
    caption(6)
    assert keys(tmp_path) == {"out-00000.parquet": names(0, 4), "out-00001.parquet": names(4, 6)}
    before = (tmp_path / "out-00000.parquet").stat().st_mtime_ns
    report = caption().report
    whole = {
        "out-00000.parquet": names(0, 4),
        "out-00001.parquet": names(4, 8),
        "out-00002.parquet": names(8, 11),
    }
    assert keys(tmp_path) == whole
    assert (tmp_path / "out-00000.parquet").stat().st_mtime_ns == before
    assert report.outputs == (str(tmp_path / "out-*.parquet"),)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.glob("out-*.parquet")}
    assert caption().report.counts.captions == 11
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("out-*.parquet")} == times
    assert not (tmp_path / "out.parquet").exists()


def test_a_full_file_is_there_while_the_run_goes_on(photos, tmp_path):
    class Slow:
        """Looks at the files each time that a caption is there."""

        def __init__(self):
            self.seen = []

        def __call__(self, progress):
            self.seen.append((progress.done, len(keys(tmp_path))))

    slow = Slow()
    caption(model="fake:latency=0.2,slots=1", progress=slow)
    assert any(done < 11 and files for done, files in slow.seen)


@pytest.mark.parametrize("lost", ["out-00000.parquet", "out.parquet.cutline/rows-00001.part"])
def test_what_is_gone_is_written_again_from_the_journal(photos, tmp_path, lost):
    caption(6)
    (tmp_path / lost).unlink()
    assert caption().report.requests_resumed == 6
    assert list(itertools.chain.from_iterable(keys(tmp_path).values())) == names(0, 11)


def test_fewer_rows_leave_fewer_files(photos, tmp_path):
    caption()
    for name in names(3, 11):
        (photos / name).unlink()
    caption()
    assert keys(tmp_path) == {"out-00000.parquet": names(0, 3)}
    caption(rows_per_file=2)
    assert keys(tmp_path) == {"out-00000.parquet": names(0, 2), "out-00001.parquet": names(2, 3)}


def test_files_of_others_are_left_alone(photos, tmp_path):
    (tmp_path / "out-00001.parquet").write_bytes(b"mine")
    (tmp_path / "out-map.parquet").write_bytes(b"other")
    with pytest.raises(OutputExists, match=r"out-00001\.parquet already exists"):
        caption()
    assert (tmp_path / "out-00001.parquet").read_bytes() == b"mine"
    (tmp_path / "out-00001.parquet").unlink()
    caption()
    assert (tmp_path / "out-map.parquet").read_bytes() == b"other"


def test_the_files_are_one_input_and_are_not_written_over(photos, tmp_path):
    caption()
    shutil.copytree(tmp_path / "out.parquet.cutline", tmp_path / "kept")
    again = cutline.caption("out-*.parquet", "again.jsonl", image_column="image_path")
    assert again.report.counts.total == 11
    before = {path: path.read_bytes() for path in tmp_path.glob("out-*.parquet")}
    with pytest.raises(ConfigError, match="another"):
        cutline.caption(
            "out-*.parquet", "out.parquet", rows_per_file=4, existing="overwrite", image_column="image_path",
            state="new",
        )  # fmt: skip
    assert {path: path.read_bytes() for path in tmp_path.glob("out-*.parquet")} == before
    joined = cutline.caption("out-*.parquet", "out.parquet", image_column="image_path", state="another")
    assert joined.report.counts.total == 11


@pytest.mark.parametrize("output", ["out.jsonl", "out.csv", "out.json"])
def test_other_formats_are_one_file(photos, output):
    with pytest.raises(ConfigError, match=r"rows_per_file is for Parquet, not \w+: remove it"):
        cutline.caption("photos", output, rows_per_file=4)


@pytest.mark.parametrize("form", ["jsonl", "parquet", "sidecar", "scienceqa"])
@pytest.mark.parametrize("option", ["samples_per_shard", "max_shards"])
def test_options_of_shards_are_refused_for_other_formats(form, option, photos, tmp_path):
    options = {option: 2, "output_format": form, "model": "fake"}
    with pytest.raises(ConfigError, match=rf"{option} is for webdataset, not {form}: remove it"):
        cutline.caption("photos", tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()
