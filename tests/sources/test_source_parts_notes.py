"""What several parts of an input noted is what the whole would have noted."""

from __future__ import annotations

import io
import itertools
import pickle
import tarfile
import zipfile

import fsspec
import pytest

from cutline.sidecars import report
from cutline.sources import left_over
from cutline.sources.folder import FolderSource
from cutline.sources.options import SourceOptions
from cutline.sources.remote import RemoteFolderSource
from cutline.sources.webdataset import WebdatasetSource
from cutline.sources.zips import ZipSource
from engine_pictures import fill, png


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "pictures"
    fill(made, 20)
    for number in (0, 3, 4, 9, 10, 11, 15):
        (made / f"{number:05}.txt").write_bytes("图片标题七图片标题".encode("gb18030"))
    (made / "00006.txt").write_bytes(b"a\x00 \xff\xfe bytes")
    (tmp_path / "elsewhere.txt").write_text("a text of another folder")
    for number in (1, 12):
        (made / f"{number:05}.txt").symlink_to(tmp_path / "elsewhere.txt")
    (made / "00013.json").write_text("[1]")
    return made


def _read(source):
    """A source after its samples are read, as another process sends what it noted."""
    assert list(source.samples())
    return pickle.loads(pickle.dumps((tuple(source.warnings), tuple(source.left_over))))


@pytest.mark.parametrize("count", [2, 5, 20])
def test_parts_note_together_what_the_whole_does(folder, count):
    whole = FolderSource(str(folder), SourceOptions())
    lines, records = _read(whole)
    assert [line.partition(" ")[0] for line in lines] == ["7", "1"]
    assert len(records) == 2
    parts = [_read(part) for part in whole.shards(count)]
    assert sorted(report.merged(line for lines, _ in parts for line in lines)) == sorted(lines)
    assert left_over.merged(each for _, records in parts for each in records) == list(records)


def test_what_is_read_a_second_time_counts_once(folder):
    for name in ("00004", "00009", "00010", "00011", "00015"):
        (folder / f"{name}.txt").unlink()
    lines, records = _read(FolderSource(str(folder), SourceOptions()))
    again, records_again = _read(FolderSource(str(folder), SourceOptions()))
    assert report.merged([*lines, "another line", *again, "another line"]) == [*lines, "another line"]
    assert left_over.merged([*records, *records_again]) == list(records)


def files():
    """Names and contents of what a user should hear of: before the first picture, and all through."""
    yield ".before.png", b"hidden"
    for number in range(12):
        yield f"{number:05}.png", png()
        yield f"{number:05}.txt", "图片标题七图片标题".encode("gb18030")
        yield f"{number:05}a.heic", b"no format that can be opened"


def folder_of(tmp_path):
    for name, data in files():
        (tmp_path / name).write_bytes(data)
    return FolderSource(str(tmp_path), SourceOptions())


def storage_of(tmp_path):
    system = fsspec.filesystem("memory")
    for name, data in files():
        system.pipe(f"/{tmp_path.name}/{name}", data)
    return RemoteFolderSource(f"memory://{tmp_path.name}")


def tars_of(tmp_path):
    for number in range(4):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as tar:
            for name, data in files():
                info = tarfile.TarInfo(f"{number}{name}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
                further = tarfile.TarInfo(f"{number}{name.removesuffix('.png')}.jpg")
                tar.addfile(further, io.BytesIO())
    for number in range(5):
        (tmp_path / f"beside{number}.png").write_bytes(png())
    return WebdatasetSource(str(tmp_path))


def zips_of(tmp_path):
    for number in range(4):
        with zipfile.ZipFile(tmp_path / f"{number}.zip", "w") as archive:
            for name, data in files():
                archive.writestr(name, data)
    return ZipSource(str(tmp_path))


@pytest.mark.parametrize("make", [folder_of, storage_of, tars_of, zips_of])
@pytest.mark.parametrize("listed", [0, 7, 100])
def test_a_source_that_was_listed_before_it_is_split_notes_nothing_twice(make, listed, tmp_path):
    lines, records = _read(make(tmp_path))
    assert lines
    assert records
    source = make(tmp_path)
    assert list(itertools.islice(source.samples(), listed)) or not listed
    parts = source.shards(3)
    assert len(parts) == 3
    noted = [(source.warnings, source.left_over), *(_read(part) for part in parts)]
    assert report.merged(line for lines, _ in noted for line in lines) == list(lines)
    assert left_over.merged(each for _, records in noted for each in records) == list(records)
