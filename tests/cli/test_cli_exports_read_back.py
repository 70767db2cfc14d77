"""What an export writes is read back with its captions, in every format."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from program import Run, rows

from cutline.dataset.export.names import FORMATS

NAMES = ("crimson", "gold", "orchid", "royalblue", "seagreen")


@pytest.fixture
def photos(pictures: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    for name in NAMES:
        place = folder / "sub" if name == "gold" else folder
        shutil.copy(pictures / f"{name}.jpg", place)
        (place / f"{name}.txt").write_text(f"a photo of {name} é")
    return folder


@pytest.mark.parametrize("form", FORMATS)
def test_an_export_is_read_back_with_its_captions(here: Run, photos: Path, tmp_path: Path, form: str) -> None:
    output = f"made-{form}{FORMATS[form]}"
    if form == "texts":  # which are beside the pictures
        shutil.copytree(photos, tmp_path / output, ignore=shutil.ignore_patterns("*.txt"))
    exported = here("export", "photos", output, "--format", form)
    assert exported.code == 0, exported.err
    ran = here("caption", output, "again.jsonl", "--existing", "skip", "-m", "fake")
    assert "0 captions · 5 skipped (5 captioned already)" in ran.err
    assert rows(tmp_path / "again.jsonl") == []
    measured = here("eval", output, "--references", "photos")
    assert (measured.code, "5 captions" in measured.err) == (0, True), measured.err

    if output.endswith(".zip"):
        refused = here("find", output, "photo")
        command = re.search(r"`(unzip .*)`", refused.err)
        assert command is not None, refused.err
        subprocess.run(shlex.split(command[1]), cwd=tmp_path, check=True, capture_output=True)
        output = output.removesuffix(".zip")
        ran = here("caption", output, "unpacked.jsonl", "--existing", "skip", "-m", "fake")
        assert "0 captions · 5 skipped (5 captioned already)" in ran.err
        measured = here("eval", output, "--references", "photos")
        assert (measured.code, "5 captions" in measured.err) == (0, True), measured.err
    found = here("find", output, "photo", "--captions").out.splitlines()
    assert sorted(line.split("\t")[1] for line in found) == [f"a photo of {name} é" for name in NAMES]
    assert here("export", output, "back", "--format", "folder").code == 0
    texts = {
        file.relative_to(tmp_path / "back"): file.read_text() for file in (tmp_path / "back").rglob("*.txt")
    }
    assert texts == {file.relative_to(photos): file.read_text() for file in photos.rglob("*.txt")}
