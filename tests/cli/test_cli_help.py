"""The help of every command, as it looks at a hundred columns.

``CUTLINE_SNAPSHOTS=write pytest tests/cli/test_cli_help.py`` writes the snapshots anew.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from program import clean_environment

import cutline
from cutline.cli import main

SNAPSHOTS = Path(__file__).parent / "snapshots"
COMMANDS = (
    "",
    "caption",
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


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command or "cutline")
def test_help(command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name, value in clean_environment().items():
        monkeypatch.setenv(name, value)
    assert main([*command.split(), "--help"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    shown = "".join(f"{line.rstrip()}\n" for line in said.out.splitlines())
    assert max(map(len, shown.splitlines())) <= 100
    snapshot = SNAPSHOTS / f"{(command or 'cutline').replace(' ', '-')}.txt"
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
    names = {(command or "cutline").replace(" ", "-") for command in COMMANDS}
    assert {path.stem for path in SNAPSHOTS.iterdir()} == names


def test_nothing_said_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.startswith("Usage: cutline COMMAND")


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"{cutline.__version__}\n"
