"""A disk that fills up at any write, and one that cannot be written at all."""

from __future__ import annotations

import gc
import json
import subprocess
import zipfile

import pytest

import cutline as package
from cutline.errors import SinkError
from engine_outputs import NAMES, captions, report
from processes import cutline


class Disk:
    """A file system of its own, of any size."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def mount(self, options):
        return subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "none", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )

    def resize(self, pages):
        subprocess.run(["mount", "-o", f"remount,size={pages * 4096}", str(self.folder)], check=True)

    def read_only(self):
        subprocess.run(["mount", "-o", "remount,ro", str(self.folder)], check=True)

    def writable(self):
        subprocess.run(["mount", "-o", "remount,rw", str(self.folder)], check=True)


@pytest.fixture
def disk(tmp_path):
    disk = Disk(tmp_path / "disk")
    try:
        done = disk.mount("size=4096")
    except FileNotFoundError:
        pytest.skip("there is no mount program here")
    if done.returncode:
        pytest.skip(f"may not mount a file system here: {done.stderr.strip()}")
    gc.freeze()  # what the process has loaded: each of many refused runs is looked through for garbage
    yield disk
    gc.unfreeze()
    subprocess.run(["umount", "--lazy", str(disk.folder)], check=True)


def _refusal(folder, output, form):
    """Why the run ended early, if it did."""
    try:
        shards = {"samples_per_shard": 9} if form == "webdataset" else {}
        package.caption(folder, output, model="fake", output_format=form, **shards)
    except SinkError as error:
        return str(error)
    finally:
        gc.collect()  # what a refused run held, the next one in this process may need
    return None


@pytest.mark.parametrize("form", NAMES)
def test_a_full_disk_is_told_and_the_next_run_goes_on(form, disk, pictures):
    """The disk grows page by page, then faster, so that it is full once at each kind of write."""
    folder = pictures(30)
    output = disk.folder / NAMES[form]
    refusals = []
    for pages in (*range(1, 20), *(round(20 * 1.3**step) for step in range(22))):
        disk.resize(pages)
        refusal = _refusal(folder, output, form)
        if refusal is None:
            break
        refusals.append(refusal)
        assert not output.with_name(output.name + ".cutline").joinpath("report.json").exists()
    assert len(refusals) > 5, "the disk was never full"
    assert all("No space left" in refusal or "disk is full" in refusal for refusal in refusals)
    assert not any("\n" in refusal for refusal in refusals)
    assert captions(form, output) == sorted(captions(form, output))
    assert len(captions(form, output)) == 30
    assert report(output)["complete"] is True
    assert report(output)["captions"] == 30


def test_a_full_disk_ends_the_program_with_its_own_exit_code(disk, pictures):
    disk.resize(6)
    arguments = ("caption", pictures(60), disk.folder / "captions.jsonl", "--model", "fake")
    done = cutline(*arguments)
    assert done.returncode == 4
    assert "No space left" in done.stderr
    assert "the same command" in done.stderr
    assert "Traceback" not in done.stderr
    assert "captions ·" not in done.stderr, "it sums up as if it had ended well"
    disk.resize(200)
    assert cutline(*arguments).returncode == 0
    assert len(captions("jsonl", disk.folder / "captions.jsonl")) == 60


def test_a_full_temporary_disk_is_one_line_with_its_cure(disk, pictures, tmp_path):
    """Tables in a zip are unpacked there, and rows that are kept in memory have a state there."""
    disk.resize(8)
    folder = pictures(1)
    (picture,) = folder.iterdir()
    row = json.dumps({"file_name": picture.name, "text": "x" * 100}) + "\n"
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.write(picture, picture.name)
        archive.writestr("metadata.jsonl", row * 2000)
    arguments = ("caption", tmp_path / "in.zip", tmp_path / "out.jsonl", "--model", "fake")
    done = cutline(*arguments, env={"TMPDIR": str(disk.folder)})
    assert (done.returncode, len(done.stderr.splitlines())) == (4, 1), done.stderr
    assert f"{disk.folder}: No space left on device; free some space" in done.stderr
    disk.resize(400)
    assert cutline(*arguments, env={"TMPDIR": str(disk.folder)}).returncode == 0
    missing = cutline(*arguments, "--existing", "overwrite", env={"TMPDIR": "/proc/nowhere"})
    assert missing.returncode == 0, missing.stderr  # another place is taken


@pytest.mark.parametrize("form", NAMES)
def test_a_read_only_output_is_told_in_one_line(form, disk, pictures):
    disk.resize(100)
    output = disk.folder / NAMES[form]
    folder = pictures(3)
    disk.read_only()
    with pytest.raises(SinkError, match="Read-only"):
        package.caption(folder, output, model="fake", output_format=form)
    disk.writable()
    package.caption(folder, output, model="fake", output_format=form)
    disk.read_only()
    (folder / "00002.png").unlink()
    with pytest.raises(SinkError, match="Read-only"):
        package.caption(folder, output, model="fake", output_format=form)
    disk.writable()


def test_a_read_only_output_ends_the_program_with_its_own_exit_code(disk, pictures):
    disk.read_only()
    done = cutline("caption", pictures(3), disk.folder / "captions.jsonl", "--model", "fake")
    disk.writable()
    assert done.returncode == 4
    assert len(done.stderr.splitlines()) == 1
    assert "Read-only" in done.stderr
