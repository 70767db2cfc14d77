"""Captions that are known from the last opening: only what changed is read, and nothing else is believed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cutline.dataset.dataset import Dataset
from cutline.dataset.records import EditInfo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "in").mkdir(parents=True)
    for name in ("a", "b", "in/c", "in/d"):
        (folder / f"{name}.jpg").write_bytes(b"")
        (folder / f"{name}.txt").write_bytes(f"caption of {name}\r\n".encode())
    (folder / "in" / "d.txt").unlink()
    (folder / "in" / "e.jpg").write_bytes(b"")
    (folder / "in" / "e.txt").write_bytes("Grüße aus Köln, schöne Straße".encode("cp1252"))
    for file in folder.rglob("*.txt"):
        os.utime(file, (1e9, 1e9))  # long settled
    return folder


def captions(folder: Path, cache: Path) -> list[str | None]:
    dataset = Dataset(os.fspath(folder), cache=cache)
    dataset.read_texts()
    found: list[str | None] = dataset.captions.array().to_pylist()
    dataset.close()
    return found


def test_only_changed_texts_are_read_again(folder: Path, tmp_path: Path) -> None:
    cache, before = tmp_path / "cache", sorted(folder.rglob("*"))
    first = captions(folder, cache)
    assert first[:2] == ["caption of a", "caption of b"]
    assert sorted(folder.rglob("*")) == before
    assert not (tmp_path / "photos.cutline").exists()
    script = f"""
import os, sys
opened = []
sys.addaudithook(lambda name, values: name == "open" and str(values[0]).endswith(".txt") and
                 opened.append(os.path.basename(str(values[0]))))
from pathlib import Path
from cutline.dataset.dataset import Dataset
dataset = Dataset({os.fspath(folder)!r}, cache=Path({os.fspath(cache)!r}))
dataset.read_texts()
print(sorted(set(opened)), dataset.captions.array().to_pylist() == {first!r})
"""

    def run() -> str:
        return subprocess.run(
            [sys.executable, "-c", script], check=True, capture_output=True, text=True
        ).stdout

    assert "'a.txt'" not in run()
    assert run().endswith(" True\n")
    os.utime(folder / "a.txt", (1e9, 1e9))  # the same size and time of change, but it was touched
    found = run()
    assert "'a.txt'" in found
    assert "'b.txt'" not in found


def test_changed_removed_and_new_texts_are_seen(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    captions(folder, cache)
    (folder / "a.txt").write_text("another of a")
    (folder / "b.txt").unlink()
    (folder / "in" / "d.txt").write_text("new")
    (folder / "0.jpg").write_bytes(b"")  # every row moves
    for _ in range(2):
        expected = [None, "another of a", None, "caption of in/c", "new", "Grüße aus Köln, schöne Straße"]
        assert captions(folder, cache) == expected


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "folder"])
def test_a_damaged_cache_is_made_anew(folder: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    first = captions(folder, cache)
    (file,) = cache.iterdir()
    data = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    elif damage == "flipped":
        file.write_bytes(data[:-40] + bytes([data[-40] ^ 255]) + data[-39:])
    else:
        file.write_bytes(data[:-100] if damage == "cut" else b"PAR1" * 100)
    assert captions(folder, cache) == first
    if damage != "folder":
        assert file.read_bytes()[:8] == data[:8]


def test_what_is_saved_while_captions_are_read_is_not_lost(folder: Path, tmp_path: Path) -> None:
    dataset = Dataset(os.fspath(folder), cache=tmp_path / "cache")
    dataset.set_captions({1: "written before"}, EditInfo(kind="text", summary="edit"))
    dataset.read_texts()
    assert dataset.captions[1] == "written before"
    assert list(dataset.find("before")) == [1]
    dataset.close()
    assert captions(folder, tmp_path / "cache")[1] == "written before"
