"""The help of every command, as it looks at a hundred columns.

``CUTLINE_SNAPSHOTS=write pytest tests/cli/test_cli_help.py`` writes the snapshots anew.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from PIL import Image
from program import clean_environment

import cutline
from cutline.cli import main

SNAPSHOTS = Path(__file__).parent / "snapshots"
COMMANDS = (
    "",
    "caption",
    "caption --help-all",
    "batch",
    "batch submit",
    "batch status",
    "batch collect",
    "batch cancel",
    "compare",
    "run",
    "job",
    "models",
    "models check",
    "prompts",
    "prompts show",
)


def snapshot_of(command: str) -> str:
    return f"{(command or 'cutline').replace(' --', '-').replace(' ', '-')}.txt"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "cutline")
def test_help(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in clean_environment().items():
        monkeypatch.setenv(name, value)
    assert main([*command.split(), *([] if "--help-all" in command else ["--help"])]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    shown = "".join(f"{line.rstrip()}\n" for line in said.out.splitlines())
    assert max(map(len, shown.splitlines())) <= 100
    snapshot = SNAPSHOTS / snapshot_of(command)
    if os.environ.get("CUTLINE_SNAPSHOTS") == "write":
        snapshot.parent.mkdir(exist_ok=True)
        snapshot.write_text(shown, "utf-8")
    assert shown == snapshot.read_text("utf-8")


@pytest.mark.parametrize("command", ["caption", "batch collect", "models check"])
def test_help_is_as_wide_as_the_terminal(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def widest(columns: int) -> int:
        monkeypatch.setenv("COLUMNS", str(columns))
        assert main([*command.split(), "--help"]) == 0
        return max(map(len, capsys.readouterr().out.splitlines()))

    assert [widest(60), widest(100), widest(70)] == [60, 100, 70]


def test_no_snapshot_is_left_over() -> None:
    assert {path.name for path in SNAPSHOTS.iterdir()} == set(map(snapshot_of, COMMANDS))


@pytest.mark.parametrize("command", ["caption", "batch submit", "compare", "job"])
def test_the_help_is_short_and_names_the_rest(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    short = set(re.findall(r"--[a-z][a-z-]+", (shown := capsys.readouterr().out)))
    assert main([*command.split(), "--help-all"]) == 0
    whole = set(re.findall(r"--[a-z][a-z-]+", capsys.readouterr().out))
    assert len(short) <= 36
    assert short - {"--help-all"} < whole
    assert re.fullmatch(rf"\d+ more options: cutline {command} --help-all", shown.splitlines()[-1])


def test_short_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "a.png")
    output = tmp_path / "captions.jsonl"
    assert main(["caption", str(tmp_path / "a.png"), "-o", str(output), "-m", "pixels", "-p", "short"]) == 0
    assert '"prompt_id":"short@' in output.read_text("utf-8")
    assert main(["compare", "-o", str(tmp_path / "report.json"), "-p", "short", f"a={output}", "pixels"]) == 2
    assert "--input-path" in capsys.readouterr().err


def test_nothing_said_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: cutline COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{cutline.__version__}\n"


@pytest.mark.parametrize(
    ("command", "cure"),
    [
        (("compare", "-m", "fake"), "models are arguments, as in `cutline compare pixels blip"),
        (("judge", "a.jsonl", "b.jsonl", "--model", "fake"), "--judge names the model that judges"),
    ],
)
def test_commands_without_a_model_option_say_how_models_are_given(cutline, command, cure):
    found = cutline(*command)
    assert (found.code, found.err.count("\n")) == (2, 1)
    assert cure in found.err


def test_serve_takes_its_model_as_caption_does(cutline):
    found = cutline("serve", "-m", "nosuch:model")
    assert (found.code, "nosuch" in found.err) == (2, True)
    assert "Unknown option" not in found.err
