"""Odd and damaged files of many decoders' own test suites, opened in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cutline.imaging import can_open_heic

SCRIPT = Path(__file__).with_name("every_file.py")


def open_all(paths: list[Path]) -> list[dict]:
    # Warnings are errors in there too. libtiff writes to the error stream by itself.
    done = subprocess.run(
        [sys.executable, "-W", "error", str(SCRIPT)],
        input="".join(json.dumps(str(path)) + "\n" for path in paths),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=500,
        check=False,
    )
    reports = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"died with {done.returncode} at {paths[len(reports)].name}"
    return reports


@pytest.fixture(scope="module")
def entries(shared_data: Path) -> list[dict]:
    return json.loads((shared_data / "bad-images/manifest.json").read_text())["files"]


@pytest.fixture(scope="module")
def opened(shared_data: Path, entries: list[dict]) -> list[tuple[dict, dict]]:
    """All but the bombs: the entry, and what became of it."""
    folder = shared_data / "bad-images/files"
    chosen = [entry for entry in entries if entry["expect"] != "refuse_bomb"]
    return list(zip(chosen, open_all([folder / entry["file"] for entry in chosen]), strict=True))


def ways(report: dict):
    yield from (report["image"], report["fit"])


def test_no_file_crashes_hangs_or_eats_the_memory(opened):
    for entry, report in opened:
        for way in ways(report):
            assert way["outcome"] in {"loads", "decode", "unsupported", "too-large"}, (entry["file"], way)
            assert way["seconds"] < 60, entry["file"]
    assert opened[-1][1]["peak_mb"] < 1024


def test_good_pictures_load_upright_and_in_their_colours(opened):
    seen = 0
    for entry, report in opened:
        if entry["expect"] not in {"loads", "loads_oriented", "loads_first_frame", "optional_format"}:
            continue
        if entry.get("format") == "HEIF" and not can_open_heic():
            assert report["image"]["outcome"] == "unsupported"
            continue
        assert report["image"]["outcome"] == report["fit"]["outcome"] == "loads", (entry["file"], report)
        result = report["image"]["result"]
        assert result["size"] == entry["size"], entry["file"]
        assert result["mode"] == "RGB"
        if entry.get("thumb8") and "only size is checked" not in entry.get("note", ""):
            off = np.abs(np.array(result["thumb"]) - np.array(entry["thumb8"])).mean()
            assert off <= 12, (entry["file"], off)
        seen += 1
    assert seen >= 80


def test_damaged_files_are_refused_in_one_line_that_names_the_file(opened):
    refused = [(entry, report) for entry, report in opened if entry["expect"] == "refuse"]
    assert len(refused) >= 20
    for entry, report in refused:
        for way in ways(report):
            assert way["outcome"] in {"decode", "unsupported"}, (entry["file"], way)
            assert entry["file"] in way["message"]
            assert "\n" not in way["message"]


def test_other_formats_are_refused_by_name(opened):
    names = {
        ".jxl": "JPEG XL",
        ".svg": "SVG",
        ".pdf": "PDF",
        ".psd": "PSD",
        ".j2k": "JPEG 2000",
        ".qoi": "QOI",
    }
    seen = 0
    for entry, report in opened:
        if entry["expect"] == "refuse_or_optional":
            for way in ways(report):
                assert way["outcome"] == "unsupported"
                assert names.get(Path(entry["file"]).suffix, "") in way["message"]
                seen += 1
    assert seen >= 20


def test_bombs_are_refused_at_once_and_cheaply(shared_data: Path, entries: list[dict], tmp_path: Path):
    folder = shared_data / "bad-images/files"
    small = tmp_path / "small.png"
    Image.new("RGB", (8, 8)).save(small)
    idle = open_all([small])[0]["peak_mb"]
    bombs = [folder / entry["file"] for entry in entries if entry["expect"] == "refuse_bomb"]
    assert len(bombs) == 7
    for path, report in zip(bombs, open_all(bombs), strict=True):
        for way in ways(report):
            assert way["outcome"] in {"too-large", "decode"}, (path.name, way)
            assert way["seconds"] < 20
        assert report["peak_mb"] < idle + 200


def test_fuzzed_files_never_crash(shared_data: Path):
    paths = sorted((shared_data / "bad-images/fuzz").iterdir())
    assert len(paths) == 60
    reports = open_all(paths)
    for path, report in zip(paths, reports, strict=True):
        assert "crash" not in {way["outcome"] for way in ways(report)}, (path.name, report)
        assert all(way["seconds"] < 60 for way in ways(report))
    assert reports[-1]["peak_mb"] < 1024
