"""Killed processes, full disks, read-only folders, and outputs that are not ours."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sink_cases import FORMATS, fill, make, output_of, pairs, published, read_rows, state_of

from cutline.errors import ConfigError, OutputExists, SampleError, SinkError
from cutline.records import Failure
from processes import PATIENCE

ALL = [*FORMATS, "failures"]
WRITER = Path(__file__).with_name("writer.py")
posix = pytest.mark.skipif(os.name != "posix", reason="signals, limits and mounts of POSIX")


def start(folder: Path, form: str, count: int, **options: object) -> subprocess.Popen[str]:
    arguments = [f"{name}={value}" for name, value in options.items()]
    return subprocess.Popen(
        [sys.executable, str(WRITER), str(folder), form, str(count), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(WRITER.parent)},
    )


def run(folder: Path, form: str, count: int, **options: object) -> tuple[int, str]:
    with start(folder, form, count, **options) as process:
        said = process.communicate(timeout=PATIENCE)[0]
        return process.returncode, said.strip().rpartition("\n")[2]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """The output of a run that nothing happened to, by format, number of samples and repetitions of the text."""
    made = {}

    def output(form: str, count: int, times: int = 1) -> dict[str, bytes]:
        if (form, count, times) not in made:
            folder = tmp_path_factory.mktemp("undisturbed")
            data = pairs(count, "a dog" * times)
            if form == "failures":
                data = [(s, Failure(key=s.key, kind="k", message=o.text)) for s, o in data]
            sink = make(folder, form)
            sink.open(None)
            fill(sink, data)
            sink.finish()
            made[form, count, times] = published(folder)
        return made[form, count, times]

    return output


@posix
@pytest.mark.parametrize("form", ALL)
def test_killed_processes_leave_no_trace(form, tmp_path, undisturbed):
    chance = random.Random(form)
    for _ in range(2):
        with start(tmp_path, form, 60, pause=0.002) as process:
            lines = chance.randrange(2, 40)
            for _ in range(lines):
                if not process.stdout.readline():
                    break
            process.kill()
    code, said = run(tmp_path, form, 60)
    assert (code, said) == (0, "finished")
    assert published(tmp_path) == undisturbed(form, 60)


@posix
@pytest.mark.parametrize("form", ["json", "jsonl", "parquet", "webdataset", "sidecar", "scienceqa"])
def test_a_file_size_limit_is_a_clear_error_and_going_on_completes(form, tmp_path, undisturbed):
    code, said = run(tmp_path, form, 40, limit=9000, times=400)
    assert code == 3
    assert said.startswith("SinkError: cannot ")
    assert "the same command again" in said
    assert str(tmp_path) in said
    assert run(tmp_path, form, 40, times=400) == (0, "finished")
    assert published(tmp_path) == undisturbed(form, 40, 400)


@pytest.fixture
def tiny_disk(tmp_path):
    """A real file system of 128 KB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a file system needs more rights")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@posix
@pytest.mark.parametrize("form", ["jsonl", "webdataset", "sidecar"])
def test_a_full_disk_is_a_clear_error_and_going_on_completes(form, tiny_disk, tmp_path, undisturbed):
    filler = tiny_disk / "filler"
    filler.write_bytes(b"x" * 60_000)
    note = tmp_path / "mark.json"
    code, said = run(tiny_disk, form, 18, times=900, note=note)
    assert code == 3
    assert said.startswith("SinkError: cannot ")
    assert "full" in said or "free some space and run the same command again" in said
    filler.unlink()
    subprocess.run(["mount", "-o", "remount,size=1m", str(tiny_disk)], check=True)
    assert run(tiny_disk, form, 18, times=900, note=note) == (0, "finished")
    assert published(tiny_disk) == undisturbed(form, 18, 900)


@contextlib.contextmanager
def read_only(folder: Path):
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    # No permission holds for root, but this does, where the file system knows it.
    if (
        not shutil.which("chattr")
        or subprocess.run(["chattr", "+i", folder], capture_output=True, check=False).returncode
    ):
        pytest.skip("root can write everywhere here")
    try:
        yield
    finally:
        subprocess.run(["chattr", "-i", folder], check=True)


def whole_run(sink, items) -> None:
    sink.open(None)
    fill(sink, items)
    sink.finish()


@posix
@pytest.mark.parametrize("form", ALL)
def test_a_read_only_folder_is_a_clear_error_and_going_on_completes(form, tmp_path, undisturbed):
    folder = tmp_path / "out"
    make(folder, form)  # the state folder is there
    if form == "sidecar":
        output_of(folder, form).mkdir()
    items = pairs(4)
    if form == "failures":
        items = [(s, Failure(key=s.key, kind="k", message=o.text)) for s, o in items]
    with read_only(output_of(folder, form) if form == "sidecar" else folder):
        sink = make(folder, form)
        expected = SampleError if form == "sidecar" else SinkError  # of each file: others may be elsewhere
        with pytest.raises(expected, match=r"cannot write .*allow writing there"):
            whole_run(sink, items)
        sink.close()
    sink = make(folder, form)
    sink.open(None)
    fill(sink, items)
    sink.finish()
    assert published(folder) == undisturbed(form, 4)


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet", "scienceqa"])
def test_a_foreign_file_is_left_alone_unless_told(form, tmp_path):
    output = output_of(tmp_path, form)
    output.write_text("mine\n")
    with pytest.raises(OutputExists, match="--existing overwrite"):
        make(tmp_path, form).open(None)
    assert output.read_text() == "mine\n"
    sink = make(tmp_path, form, overwrite=True)
    sink.open(None)
    fill(
        sink,
        [
            (s, Failure(key=s.key, kind="k", message="m")) if form == "failures" else (s, o)
            for s, o in pairs(2)
        ],
    )
    sink.finish()
    assert "mine" not in output.read_bytes().decode("latin-1")


@pytest.mark.parametrize("form", ["json", "csv", "parquet", "scienceqa"])
def test_a_file_that_appears_during_the_run_is_left_alone(form, tmp_path):
    sink = make(tmp_path, form)
    sink.open(None)
    fill(sink, pairs(2))
    mark = sink.commit()
    output_of(tmp_path, form).write_text("mine")
    with pytest.raises(OutputExists):
        sink.finish()
    assert output_of(tmp_path, form).read_text() == "mine"
    output_of(tmp_path, form).unlink()
    sink = make(tmp_path, form)
    sink.open(mark)
    sink.finish()
    assert len(read_rows(tmp_path, form)) == 2


def test_foreign_shards_are_left_alone_unless_told(tmp_path):
    folder = output_of(tmp_path, "webdataset")
    folder.mkdir()
    (folder / "00007.tar").write_bytes(b"mine")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputExists, match=r"00007\.tar"):
        make(tmp_path, "webdataset").open(None)
    assert (folder / "00007.tar").read_bytes() == b"mine"
    sink = make(tmp_path, "webdataset", overwrite=True)
    sink.open(None)
    fill(sink, pairs(4))
    sink.finish()
    assert sorted(path.name for path in folder.iterdir()) == ["00000.tar", "00001.tar", "notes.txt"]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet", "scienceqa", "failures"])
@pytest.mark.parametrize("edit", [b"+", b"same length"])
def test_an_edited_output_is_left_alone(form, edit, tmp_path):
    sink = make(tmp_path, form)
    sink.open(None)
    fill(
        sink,
        [
            (s, Failure(key=s.key, kind="k", message="m")) if form == "failures" else (s, o)
            for s, o in pairs(3)
        ],
    )
    mark = sink.commit()
    sink.finish()
    output = Path(sink.outputs[0])
    content = output.read_bytes()
    content = content + b"my own line\n" if edit == b"+" else content.replace(b"d", b"D", 1)
    output.write_bytes(content)
    os.utime(output, ns=(0, 0))
    for wanted in (mark, None):
        with pytest.raises(OutputExists, match="another output"):
            make(tmp_path, form).open(wanted)
    assert output.read_bytes() == content


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet", "scienceqa"])
def test_a_copied_output_is_still_ours(form, tmp_path):
    sink = make(tmp_path / "a", form)
    sink.open(None)
    fill(sink, pairs(3))
    mark = sink.commit()
    sink.finish()
    shutil.copytree(tmp_path / "a", tmp_path / "b", copy_function=shutil.copyfile)
    sink = make(tmp_path / "b", form)
    sink.open(mark)
    fill(sink, pairs(5)[3:])
    sink.finish()
    assert len(read_rows(tmp_path / "b", form)) == 5


def test_lines_edited_before_the_mark_are_noticed_after_a_death(tmp_path):
    sink = make(tmp_path, "jsonl")
    sink.open(None)
    fill(sink, pairs(3))
    mark = sink.commit()
    sink.close()
    output = output_of(tmp_path, "jsonl")
    for content in (output.read_bytes()[1:], b"longer" + output.read_bytes(), b""):
        output.write_bytes(content)
        with pytest.raises(OutputExists, match="changed by another program"):
            make(tmp_path, "jsonl").open(mark)
        assert output.read_bytes() == content
    output.unlink()
    with pytest.raises(ConfigError, match="gone"):
        make(tmp_path, "jsonl").open(mark)


def test_lines_added_by_another_program_during_the_run_are_noticed(tmp_path):
    sink = make(tmp_path, "jsonl")
    sink.open(None)
    fill(sink, pairs(3))
    sink.commit()
    with output_of(tmp_path, "jsonl").open("ab") as file:
        file.write(b"mine\n")
    with pytest.raises(OutputExists):
        sink.commit()
    sink.close()


def test_a_missing_or_changed_shard_is_named(tmp_path):
    sink = make(tmp_path, "webdataset")
    sink.open(None)
    fill(sink, pairs(8))
    mark = sink.commit()
    sink.close()
    shard = output_of(tmp_path, "webdataset") / "00001.tar"
    content = shard.read_bytes()
    shard.write_bytes(content + b"more")
    with pytest.raises(OutputExists, match=r"00001\.tar was changed"):
        make(tmp_path, "webdataset").open(mark)
    shard.unlink()
    with pytest.raises(ConfigError, match=r"00001\.tar is gone"):
        make(tmp_path, "webdataset").open(mark)
    shard.write_bytes(content)
    sink = make(tmp_path, "webdataset")
    sink.open(mark)
    sink.finish()
    assert len(read_rows(tmp_path, "webdataset")) == 8


@pytest.mark.parametrize("form", FORMATS)
def test_the_wrong_kind_of_output_is_named(form, tmp_path):
    output = output_of(tmp_path, form)
    if form in {"webdataset", "sidecar"}:
        output.write_text("a file")
    else:
        output.mkdir()
    with pytest.raises(ConfigError, match=r"is a (file|folder)"):
        make(tmp_path, form).open(None)
    assert state_of(output).is_dir()


def test_a_pipe_is_no_output(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no pipes with names")
    os.mkfifo(tmp_path / "captions.jsonl")
    with pytest.raises(ConfigError, match="not a regular file"):
        make(tmp_path, "jsonl").open(None)
