from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageOps

SCRIPT = Path(__file__).resolve().parents[2] / "examples" / "make_pictures.py"


def make(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(SCRIPT), str(folder)], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("pictures") / "new"
    result = make(folder)
    assert result.returncode == 0, result.stderr
    return folder, result.stdout


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_prints_each_picture_it_made(made: tuple[Path, str]) -> None:
    folder, printed = made
    assert len(pictures(folder)) >= 14
    for path in pictures(folder):
        assert str(path) in printed


def test_every_picture_opens_and_shows_something(made: tuple[Path, str]) -> None:
    for path in pictures(made[0]):
        with Image.open(path) as image:
            low, high = image.convert("L").getextrema()
            assert high - low > 60, path


def test_has_the_kinds_that_captioning_must_cope_with(made: tuple[Path, str]) -> None:
    kinds, sizes, turned, clear, animated = set(), [], [], [], []
    for path in pictures(made[0]):
        with Image.open(path) as image:
            kinds.add(image.format)
            sizes.append(image.size)
            if ImageOps.exif_transpose(image).size != image.size:
                turned.append(path)
            if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 255):
                clear.append(path)
            if getattr(image, "n_frames", 1) > 1:
                animated.append(path)
    assert {"JPEG", "PNG", "WEBP", "GIF"} <= kinds
    assert (4000, 3000) in sizes
    assert any(path.parent != made[0] for path in turned)
    assert clear
    assert animated


def test_makes_the_same_pictures_every_time(made: tuple[Path, str], tmp_path: Path) -> None:
    assert make(tmp_path).returncode == 0
    first, second = (
        {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in pictures(folder)}
        for folder in (made[0], tmp_path)
    )
    assert first == second


def test_tells_how_to_be_used_without_a_folder() -> None:
    result = subprocess.run(
        [sys.executable, str(SCRIPT)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "OUTPUT_FOLDER" in result.stderr
