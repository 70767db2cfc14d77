"""What `--estimate` and `--preview` take of an input that is captioned in part."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
from PIL import Image

from cutline.cli import main


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(20):
        Image.new("RGB", (32, 24), (number * 12, 90, 30)).save(folder / f"{number:02}.png")
    monkeypatch.chdir(tmp_path)
    return folder


def run(capsys: pytest.CaptureFixture[str], *more: str, model: str = "fake") -> tuple[int, str, str]:
    code = main(["caption", "photos", *more, "--model", model])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", ["out.jsonl", "out.parquet", "shards"])
def test_what_is_left_is_estimated_and_nothing_written(photos, capsys, name):
    form = ["--output-format", "webdataset"] if name == "shards" else []
    run(capsys, name, *form, "--image-limit", "8", "-q")
    before = digests(photos.parent)
    code, out, _ = run(capsys, name, *form, "--estimate")
    assert code == 0
    assert out.startswith("8 pictures done already\n12 pictures: ")
    _, out, _ = run(capsys, name, *form, "--image-limit", "8", "--estimate")
    assert out == "8 pictures done already\nnothing to caption: no picture is left\n"
    assert digests(photos.parent) == before
    code, out, _ = run(capsys, name, *form, "--prompt", "detailed", "--on-change", "redo-all", "--estimate")
    assert out.startswith("20 pictures: ")


def test_replaced_pictures_are_left(photos, capsys):
    run(capsys, "out.jsonl", "-q")
    Image.new("RGB", (48, 24), "navy").save(photos / "03.png")
    assert run(capsys, "out.jsonl", "--estimate")[1].startswith("19 pictures done already\n1 picture: ")


def test_failures_are_left_if_they_are_retried(photos, capsys):
    run(capsys, "out.jsonl", "-q", model="fake:rejected=0.4")
    failed = len(Path("out.jsonl.failures.jsonl").read_bytes().splitlines())
    assert 0 < failed < 20
    _, out, _ = run(capsys, "out.jsonl", "--estimate")
    assert f"20 pictures done already; {failed} of them failed, which --retry-failed captions again" in out
    _, out, _ = run(capsys, "out.jsonl", "--retry-failed", "--estimate")
    noun = "picture" if failed == 1 else "pictures"
    assert out.startswith(f"{20 - failed} pictures done already\n{failed} {noun}: ")


def test_the_estimate_with_other_settings_is_that_of_redo_all_and_says_so(photos, capsys):
    run(capsys, "out.jsonl", "-q")
    before = digests(photos.parent)
    code, out, err = run(capsys, "out.jsonl", "--prompt", "detailed", "--estimate")
    assert (code, out.startswith("20 pictures: ")) == (0, True)
    assert "--on-change keep, redo-failed or redo-all" in err
    assert err.endswith("; this estimate is for redo-all\n")
    _, out, err = run(capsys, "out.jsonl", "--prompt", "detailed", "--on-change", "keep", "--estimate")
    assert (out.startswith("20 pictures done already"), "redo-all" in err) == (True, False)
    assert digests(photos.parent) == before


@pytest.mark.parametrize(
    ("model", "more", "at_once"),
    [
        ("fake:latency=0.2,slots=2", [], 2),
        ("fake:latency=0.2,slots=16", ["--max-concurrent-requests", "4"], 4),
        ("fake:latency=0.2,slots=16", [], 8),
    ],
)
def test_the_time_is_that_of_as_many_at_once_as_the_captioner_takes(photos, capsys, model, more, at_once):
    code, out, err = run(capsys, "out.jsonl", *more, "--estimate", model=model)
    assert code == 0, err
    assert out.endswith(f"measured on 8 pictures, {at_once} requests at once\n")
    seconds = re.search(r"about ([0-9.]+) s", out)
    assert seconds is not None, out
    assert float(seconds[1]) >= round(20 * 0.2 / at_once, 1)


def test_texts_that_are_kept_are_not_left(photos, capsys):
    for number in range(15):
        (photos / f"{number:02}.txt").write_text("There already.\n", "utf-8")
    _, out, _ = run(capsys, "out.jsonl", "--existing", "skip", "--estimate")
    assert out.startswith("15 pictures done already\n5 pictures: ")
    code, out, err = run(capsys, "out.jsonl", "--existing", "skip", "--preview", "2")
    assert code == 0
    assert ("15.png" in out, "16.png" in out, "17.png" in out, "skipped" in out) == (True, True, False, False)
    assert "passed over 15 pictures captioned already" in err
    assert not list(photos.parent.glob("out.jsonl*"))
