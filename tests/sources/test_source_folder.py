from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from cutline.errors import ConfigError, PictureError
from cutline.files import text_to_name
from cutline.locations.stored import LocalFile
from cutline.sources import SourceOptions, open_source
from cutline.sources.folder import FolderSource
from peak_memory import forget_peak, peak_mb

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs file names and nodes of Linux")


def keys(source):
    return [sample.key for sample in source.samples()]


def test_keys_are_whole_paths_in_order_and_hidden_files_are_left_out(photos):
    found = keys(FolderSource(photos))
    assert found == sorted(found)
    assert len(found) == 9
    assert {"a/1.jpg", "b/1.jpg", "same.jpg", "same.PNG", "b/deep/er/2.gif"} < set(found)
    assert 'c d/it\'s "q"\n2.jpeg' in found


def test_every_listed_picture_can_be_read(photos, jpeg):
    assert all(sample.location.read() == jpeg() for sample in FolderSource(photos).samples())


def test_captions_beside_the_pictures_come_along(photos):
    texts = {sample.key: sample.text for sample in FolderSource(photos).samples() if sample.text}
    assert texts == {"a/1.jpg": "stem caption", "b/1.jpg": "name caption"}


def test_metadata_names_folder_and_file(photos):
    by_key = {sample.key: dict(sample.metadata) for sample in FolderSource(photos).samples()}
    assert by_key["b/deep/er/2.gif"] == {"folder": "b/deep/er", "file_name": "2.gif"}
    assert by_key["z.TIFF"]["folder"] == "photos"


def test_not_recursive_stays_at_the_top(photos):
    found = keys(open_source(photos, SourceOptions(recursive=False)))
    assert len(found) == 4
    assert not any("/" in key for key in found)


def test_a_single_file_is_its_name(photos):
    (sample,) = open_source(photos / "a" / "1.jpg").samples()
    assert (sample.key, sample.text, sample.metadata["folder"]) == ("1.jpg", "stem caption", "a")


@linux
def test_a_name_that_is_not_unicode_round_trips(tmp_path, jpeg):
    name = os.fsdecode(b"caf\xe9 \xff.jpg")
    (tmp_path / name).write_bytes(jpeg())
    (sample,) = FolderSource(tmp_path).samples()
    sample.key.encode()
    assert text_to_name(sample.key) == name
    assert sample.location.read() == jpeg()


def test_an_empty_folder_says_what_is_looked_for(tmp_path):
    (tmp_path / "readme.md").write_text("x")
    with pytest.raises(ConfigError, match=r"\.jpg"):
        list(FolderSource(tmp_path).samples())


def test_a_missing_folder_is_the_users_mistake(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        open_source(tmp_path / "nowhere")


@linux
def test_pipes_sockets_and_dead_links_are_told_and_do_not_hang(tmp_path, jpeg, monkeypatch):
    (tmp_path / "real.jpg").write_bytes(jpeg())
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "dead.jpg").symlink_to("nowhere.jpg")
    (tmp_path / "self.jpg").symlink_to("self.jpg")
    (tmp_path / "device.jpg").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as unix:
        monkeypatch.chdir(tmp_path)
        unix.bind("socket.jpg")
        found = {sample.key: sample for sample in FolderSource(tmp_path).samples()}
    assert found.pop("real.jpg").problem is None
    problems = {key: (sample.problem.kind, sample.problem.skip) for key, sample in found.items()}
    assert problems == {
        "pipe.jpg": ("not-a-file", True),
        "socket.jpg": ("not-a-file", True),
        "device.jpg": ("not-a-file", True),
        "dead.jpg": ("missing", False),
        "self.jpg": ("missing", False),
    }


@linux
@pytest.mark.parametrize("name", ["pipe", "/dev/zero", "folder", "socket"])
def test_reading_what_is_no_regular_file_is_refused_at_once(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("folder").mkdir()
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket")
        what = "a folder" if name == "folder" else "regular file"
        with pytest.raises(PictureError, match=what) as caught:
            LocalFile(name).read()
    assert caught.value.kind == "fetch"


def test_a_file_deleted_during_the_run_is_missing(photos):
    samples = list(FolderSource(photos).samples())
    (photos / samples[0].key).unlink()
    with pytest.raises(PictureError) as caught:
        samples[0].location.read()
    assert caught.value.kind == "missing"


def test_a_file_above_the_limit_is_refused_before_it_is_read(tmp_path):
    path = tmp_path / "big.jpg"
    with path.open("wb") as file:
        file.truncate(10 * 1024**3)
    forget_peak()
    before = peak_mb()
    with pytest.raises(PictureError, match="10,737,418,240 bytes") as caught:
        LocalFile(str(path)).read()
    assert caught.value.kind == "too-large"
    assert peak_mb() - before < 100


def test_a_file_in_proc_that_tells_no_size_is_read_whole():
    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    assert b"VmRSS" in LocalFile("/proc/self/status").read()


@linux
def test_link_loops_end_and_linked_folders_are_followed(tmp_path, jpeg):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "far.jpg").write_bytes(jpeg())
    root = tmp_path / "root"
    for number in range(12):
        folder = root / f"d{number}"
        folder.mkdir(parents=True)
        (folder / "p.jpg").write_bytes(jpeg())
        (folder / "up").symlink_to("..")
        for other in range(12):
            (folder / f"to{other}").symlink_to(f"../d{other}")
    (root / "link").symlink_to(outside)
    found = keys(FolderSource(root))
    assert len(found) == len(set(found)) < 1000
    assert "link/far.jpg" in found
    assert {f"d{number}/p.jpg" for number in range(12)} < set(found)


@linux
def test_a_folder_that_cannot_be_listed_is_reported_not_dropped(tmp_path, jpeg, monkeypatch):
    # Deeper than the system lets a path be: unreadable even for an administrator.
    (tmp_path / "a.jpg").write_bytes(jpeg())
    monkeypatch.chdir(tmp_path)
    for _ in range(25):
        Path("n" * 200).mkdir()
        os.chdir("n" * 200)
    samples = list(FolderSource(tmp_path).samples())
    assert samples[0].key == "a.jpg"
    assert samples[-1].problem.kind == "unreadable-folder"
    assert samples[-1].key.endswith("n/")


@linux
def test_a_caption_that_cannot_be_read_is_a_failure_not_a_missing_caption(tmp_path, jpeg):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(3 * 1024 * 1024)
    (sample,) = FolderSource(tmp_path).samples()
    assert sample.problem.kind == "sidecar"


def test_captions_in_other_encodings_are_read(tmp_path, jpeg):
    for name, data in {
        "u16": "Ä".encode("utf-16"),
        "latin": "Äpfel, Öl".encode("latin-1"),
        "empty": b" \n",
    }.items():
        (tmp_path / f"{name}.jpg").write_bytes(jpeg())
        (tmp_path / f"{name}.txt").write_bytes(data)
    assert {sample.key: sample.text for sample in FolderSource(tmp_path).samples()} == {
        "empty.jpg": None,
        "latin.jpg": "Äpfel, Öl",
        "u16.jpg": "Ä",
    }


def test_a_folder_on_other_storage_is_read_like_a_local_one(jpeg):
    import fsspec

    system = fsspec.filesystem("memory")
    for name in ("/lot/a/1.JPG", "/lot/b.png", "/lot/.x.jpg"):
        with system.open(name, "wb") as file:
            file.write(jpeg())
    with system.open("/lot/a/1.txt", "wb") as file:
        file.write(b"far caption")
    source = open_source("memory://lot")
    samples = list(source.samples())
    assert [(sample.key, sample.text) for sample in samples] == [("a/1.JPG", "far caption"), ("b.png", None)]
    assert source.count() == 2
    assert samples[0].location.read() == jpeg()
    system.rm("/lot/b.png")
    with pytest.raises(PictureError) as caught:
        samples[1].location.read()
    assert caught.value.kind == "missing"


def test_the_lora_folder_has_a_caption_for_each_picture(shared_data):
    samples = list(open_source(shared_data / "sidecar-lora").samples())
    assert len(samples) == 112
    assert all(sample.text for sample in samples)
