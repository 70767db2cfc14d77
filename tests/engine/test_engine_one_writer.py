"""One output has one writer, and a run that is refused leaves everything as it was."""

from __future__ import annotations

import os

import pytest

from engine_outputs import journal, lines
from processes import cutline_here, start_cutline, wait_until


def everything(folder):
    """Name and content of each file below a folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "owner.json"
    }


def with_a_failure(folder):
    (folder / "zz.png").symlink_to("nowhere.png")


@pytest.fixture
def finished(pictures, tmp_path):
    """A run that ended with one failure; its input and output."""
    folder, output = pictures(3), tmp_path / "out" / "o.jsonl"
    output.parent.mkdir()
    with_a_failure(folder)
    assert cutline_here("caption", folder, output, "--model", "fake").returncode == 1
    assert len(lines(output.with_name("o.jsonl.failures.jsonl"))) == 1
    return folder, output


REFUSED = {
    "other-state": ("--state", "elsewhere"),
    "other-prompt": ("--prompt", "short"),
    "other-prompt-and-state": ("--state", "elsewhere", "--prompt", "short"),
    "no-such-filter": ("--filter", "nothing-of-the-kind"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_a_refused_run_removes_nothing(how, finished, tmp_path):
    folder, output = finished
    before = everything(output.parent)
    options = [str(tmp_path / text) if text == "elsewhere" else text for text in REFUSED[how]]
    done = cutline_here("caption", folder, output, "--model", "fake", *options)
    assert done.returncode == 2
    assert everything(output.parent) == before
    assert not (tmp_path / "elsewhere").exists()


def test_an_output_that_was_edited_keeps_its_journal_and_failures(finished):
    folder, output = finished
    output.write_text(output.read_text() + "mine\n")
    before = everything(output.parent)
    done = cutline_here(
        "caption", folder, output, "--model", "fake", "--on-change", "redo-all", "--seed", "1"
    )
    assert done.returncode == 2
    assert everything(output.parent) == before
    journalled = journal(output.parent / "o.jsonl.cutline")
    assert (
        cutline_here("caption", folder, output, "--model", "fake", "--existing", "overwrite").returncode == 1
    )
    assert journal(output.parent / "o.jsonl.cutline") == journalled, "nothing was requested again"


@pytest.fixture
def slow(pictures, tmp_path):
    """A run that is still going; its input and output."""
    folder, output = pictures(40), tmp_path / "out" / "o.jsonl"
    output.parent.mkdir()
    with_a_failure(folder)
    (folder / "00000.png").unlink()
    (folder / "00000.png").symlink_to("nowhere.png")
    (tmp_path / "link").symlink_to(output.parent)
    process = start_cutline("caption", folder, output, "--model", "fake:slots=1,latency=0.2")
    wait_until(lambda: output.exists() and output.with_name("o.jsonl.failures.jsonl").exists())
    yield folder, output, process
    process.kill()


NAMES = {
    "same": lambda output: output,
    "link": lambda output: output.parent.parent / "link" / "o.jsonl",
    "url": lambda output: f"file://{output}",
    "detour": lambda output: output.parent / ".." / "out" / "o.jsonl",
}


def _hard_link(output):
    other = output.with_name("other.jsonl")
    os.link(output, other)
    return other


def test_a_second_run_with_another_state_is_refused_by_every_name(slow, tmp_path):
    folder, output, process = slow
    for number, (name, other) in enumerate(NAMES.items()):
        state = tmp_path / f"state-{number}"
        done = cutline_here(
            "caption", folder, other(output), "--state", state, "--model", "fake", "--existing", "overwrite"
        )
        assert done.returncode == 2, name
        assert "another run" in done.stderr
        assert "is writing to" in done.stderr
        assert len(done.stderr.strip().splitlines()) == 1
        assert not state.exists()
    assert process.poll() is None
    assert process.wait() == 1
    assert len(lines(output)) == 39
    assert len(lines(output.with_name("o.jsonl.failures.jsonl"))) == 2


def test_two_hard_links_are_one_output(finished, tmp_path, pictures):
    folder, output = finished
    other = _hard_link(output)
    process = start_cutline(
        "caption", pictures(30, "more"), output, "--model", "fake:slots=1,latency=0.2", "--existing", "overwrite",
        "--on-change", "redo-all",
    )  # fmt: skip
    wait_until((output.parent / ".o.jsonl.cutline-lock").exists)
    wait_until(lambda: output.stat().st_size > 0)
    done = cutline_here("caption", folder, other, "--model", "fake", "--existing", "overwrite")
    assert done.returncode == 2
    assert "is writing to" in done.stderr
    process.kill()


def test_no_lock_stays_behind(finished):
    _, output = finished
    assert not list(output.parent.glob(".*"))


def test_sidecars_of_one_folder_have_one_writer(pictures, tmp_path):
    folder = pictures(30)
    process = start_cutline(
        "caption", folder, "--output-format", "sidecar", "--model", "fake:slots=1,latency=0.2"
    )
    wait_until(lambda: any(folder.glob("*.txt")))
    done = cutline_here(
        "caption", folder, "--output-format", "sidecar", "--model", "fake", "--state", tmp_path / "other"
    )
    assert done.returncode == 2
    assert "is writing to" in done.stderr
    process.kill()


def test_sidecars_of_a_folder_and_of_one_within_it_have_one_writer(pictures, tmp_path):
    outer = tmp_path / "ds"
    outer.mkdir()
    inner = pictures(30).rename(outer / "sub")
    (outer / "00000.png").write_bytes((inner / "00000.png").read_bytes())
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.png").write_bytes((inner / "00000.png").read_bytes())
    for first, second in ((outer, inner), (inner, outer)):
        process = start_cutline(
            "caption", first, "--output-format", "sidecar", "--model", "fake:slots=1,latency=0.2",
            "--existing", "overwrite",
        )  # fmt: skip
        wait_until(lambda: any(outer.rglob("*.txt")))
        done = cutline_here("caption", second, "--output-format", "sidecar", "--model", "fake")
        assert done.returncode == 2
        assert f"writing texts to {first}" in done.stderr
        free = cutline_here("caption", tmp_path / "other", "--output-format", "sidecar", "--model", "fake")
        assert free.returncode == 0, free.stderr
        process.kill()
        process.wait()
        for file in outer.rglob("*.txt"):
            file.unlink()
    done = cutline_here("caption", outer, "--output-format", "sidecar", "--model", "fake")
    assert done.returncode == 0, done.stderr


def test_parts_of_dead_runs_go_and_those_of_others_stay(finished):
    folder, output = finished
    state = output.parent / "o.jsonl.cutline"
    mine = [state / ".mark.json.4711.part", state / ".owner.json.1.part"]
    others = [output.parent / ".other.jsonl.4711.part", state / "notes.part"]
    for path in (*mine, *others):
        path.write_bytes(b"{")
    assert cutline_here("caption", folder, output, "--model", "fake").returncode == 1
    assert [path for path in mine if path.exists()] == []
    assert [path for path in others if not path.exists()] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("report.json", '{"mine": 1}'),
        ("journal.jsonl", '{"my": "log"}\n'),
        ("owner.json", "{}"),
        ("lock", "x"),
    ],
)
def test_a_folder_with_files_of_others_is_no_state(name, content, pictures, tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / name).write_text(content)
    arguments = ("caption", pictures(2), tmp_path / "o.jsonl", "--model", "fake", "--state", folder)
    done = cutline_here(*arguments)
    assert done.returncode == 2
    assert f"{name} in it would be replaced" in done.stderr
    assert {file.name: file.read_text() for file in folder.iterdir()} == {name: content}
    (folder / name).rename(folder / "others.json")
    assert cutline_here(*arguments).returncode == 0
    (folder / "owner.json").write_bytes(bytes(80))
    assert cutline_here(*arguments).returncode == 0, "what the journal can rebuild is rebuilt"
