"""Captions proposed by a model, listed, accepted and rejected from the command line."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from processes import DEFAULTS, PATIENCE, cutline_here, start_cutline, wait_until
from server_process import Server


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "photos"
    top.mkdir()
    for number in range(1, 5):
        Image.new("RGB", (8, 8), (50 * number, 10, 90)).save(top / f"{number}.png")
    (top / "1.txt").write_text("by a person\n")
    return top


@pytest.fixture
def endpoint(servers: Callable[..., Server]) -> Server:
    server = servers("endpoint.py")
    server.post("/configure", DEFAULTS)
    return server


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("*.txt"))}


def test_proposals_are_made_listed_accepted_rejected_and_undone(folder: Path) -> None:
    before = texts(folder)
    tried = cutline_here("propose", folder, "-m", "fake", "--dry-run")
    assert tried.stderr == ("3 pictures would be captioned by fake; 1 with a caption or proposal left out\n")
    made = cutline_here("propose", folder, "-m", "fake")
    assert (made.returncode, made.stderr.splitlines()[0]) == (
        0,
        "propose captions by fake: 3 captions proposed",
    )
    assert "0 pictures would be captioned" in cutline_here("propose", folder, "-m", "fake").stderr
    assert texts(folder) == before
    listed = cutline_here("proposals", folder, "--where", "path:2.png OR path:3.png")
    lines = listed.stdout.splitlines()
    assert lines[::2] == ["2.png  by fake", "3.png  by fake"]
    assert all(line.startswith("  + A picture with") for line in lines[1::2])
    assert listed.stderr == "2 proposals\n"
    shown = cutline_here("proposals", folder, "--accept", "--dry-run")
    assert shown.stderr == "3 proposals would be accepted\n"
    assert texts(folder) == before
    accepted = cutline_here("proposals", folder, "--where", "path:2.png", "--accept")
    assert accepted.stderr == "accept the proposal for 2.png, 1 file written\n"
    assert list(texts(folder)) == ["1.txt", "2.txt"]
    assert cutline_here("proposals", folder, "--reject").stderr == "reject 2 proposals, 2 proposals changed\n"
    assert cutline_here("proposals", folder).stderr == "there are no proposals\n"
    cutline_here("undo", folder, "--to", "1")
    assert texts(folder) == before
    assert (
        cutline_here("proposals", folder, "--reject", "--dry-run").stderr == "3 proposals would be rejected\n"
    )
    assert cutline_here("undo", folder, "--to", "0").returncode == 0
    assert cutline_here("proposals", folder).stderr == "there are no proposals\n"


def test_a_caption_that_was_changed_since_is_replaced_only_on_demand(folder: Path) -> None:
    cutline_here("propose", folder, "-m", "fake", "--existing", "append", "--where", "path:1.png")
    (folder / "1.txt").write_text("changed meanwhile\n")
    listed = cutline_here("proposals", folder).stdout.splitlines()
    assert listed[0] == "1.png  by fake  the caption was changed since"
    assert listed[1] == "  - changed meanwhile"
    assert listed[2].startswith("  + by a person")
    refused = cutline_here("proposals", folder, "--accept")
    assert refused.returncode == 1
    assert "1.png was changed since, and stays unchanged" in refused.stderr
    assert "--accept --changed" in refused.stderr
    assert texts(folder) == {"1.txt": "changed meanwhile\n"}
    assert cutline_here("proposals", folder, "--accept", "--changed").returncode == 0
    assert texts(folder)["1.txt"].startswith("by a person")


def test_what_a_person_wrote_is_written_over_only_on_demand(folder: Path) -> None:
    options = ("propose", folder, "-m", "fake", "--existing", "overwrite", "--write")
    done = cutline_here(*options)
    assert done.stderr.startswith("write captions by fake: 3 captions written\n")
    assert texts(folder)["1.txt"] == "by a person\n"
    assert "4 captions written" in cutline_here(*options, "--by-person").stderr
    assert texts(folder)["1.txt"].startswith("A picture with")
    cutline_here("undo", folder, "--to", "0")
    assert texts(folder) == {"1.txt": "by a person\n"}


def test_what_was_stopped_is_continued_by_the_same_command(folder: Path, endpoint: Server) -> None:
    options = ("--endpoint", endpoint.url, "-m", "endpoint:m", "--max-concurrent-requests", "1")
    command = ("propose", folder, *options)
    endpoint.post("/configure", {"latency": 0.5})
    before, twice = (endpoint.get("/stats")[name] for name in ("answered", "twice"))  # of the tests before
    run = start_cutline(*command)
    wait_until(lambda: endpoint.get("/stats")["answered"] > before)
    endpoint.post("/configure", {"latency": 10.0})  # there is something left to be stopped, however late
    run.send_signal(signal.SIGINT)
    error = run.communicate(timeout=PATIENCE)[1]
    assert (run.returncode, "the same command continues" in error) == (130, True), error
    endpoint.post("/configure", {"latency": 0.0})
    assert cutline_here(*command).returncode == 0
    assert cutline_here("find", folder, "has:proposal", "--count").stdout == "3\n"
    assert endpoint.get("/stats")["twice"] == twice
    endpoint.post("/configure", {"fault": {"refusal": 1.0}})
    failed = cutline_here(*command, "--existing", "append", "-p", "again")
    assert (failed.returncode, "4 failed (refused 4)" in failed.stderr) == (1, True), failed.stderr
    assert cutline_here("find", folder, "status:failed", "--count").stdout == "4\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("propose", "photos"), "name a model"),
        (("propose", "photos", "-m", "fake", "--chain", "c.toml"), "a chain names its models"),
        (("propose", "photos", "--chain", "c.toml"), "there is no such file"),
        (("propose", "photos", "-m", "fake", "-p", "p.txt"), '-p "$(cat p.txt)"'),
        (("propose", "photos", "-m", ""), "--model should have at least 1 character"),
        (("propose", "photos", "-m", "fake", "--by-person"), "--existing overwrite: add it"),
        (("propose", "photos", "-m", "fake", "--parameters", "x"), "write them as"),
        (("propose", "photos", "-m", "nobody:x"), "nobody"),
        (("propose", "photos", "-m", "fake", "--where", "a ("), "'(' at character 3"),
        (("proposals", "photos", "--accept", "--reject"), "exclude each other"),
        (("proposals", "photos", "--changed"), "--changed goes with --accept"),
        (("accept", "photos"), "did you mean `cutline proposals`?"),
    ],
)
def test_a_mistake_is_one_line_with_its_cure(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(folder.parent)
    Path("p.txt").write_text("Describe it.")
    failed = cutline_here(*arguments)
    assert failed.returncode == 2
    assert message in failed.stderr
    assert len(failed.stderr.splitlines()) == 1


def test_the_cost_is_estimated_before_anything_is_generated(folder: Path, endpoint: Server) -> None:
    before = endpoint.get("/stats")["requests"]
    arguments = ("propose", folder, "-m", "m", "--endpoint", endpoint.url)
    done = cutline_here(*arguments, "--estimate")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(
        "3 pictures would be captioned by m; 1 with a caption or proposal left out\n"
    )
    assert done.stdout.startswith("3 pictures: ")
    assert "tokens in" in done.stdout
    assert "measured on 3 pictures" in done.stdout
    assert endpoint.get("/stats")["requests"] == before + 3
    assert list(texts(folder)) == ["1.txt"]
    assert cutline_here("proposals", folder).stderr == "there are no proposals\n"
    for other in ("--dry-run", "--write"):
        refused = cutline_here(*arguments, "--estimate", other)
        assert refused.returncode == 2
        assert f"--estimate writes nothing: remove it, or {other}" in refused.stderr


def test_a_trigger_word_begins_every_proposal_once(folder: Path) -> None:
    (folder / "2.txt").write_text("ohwx, a red square\n")
    around = ("--trigger", "ohwx", "--caption-suffix", ", photo")
    made = cutline_here("propose", folder, "-m", "fake", *around, "--existing", "append", "--write")
    assert made.returncode == 0, made.stderr
    written = texts(folder)
    assert len(written) == 4
    assert all(text.startswith("ohwx, ") and text.count("ohwx") == 1 for text in written.values())
    assert all(text.rstrip().endswith(", photo") for text in written.values())
    assert written["2.txt"].startswith("ohwx, a red square")
