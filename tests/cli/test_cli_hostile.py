"""Whatever an option is given: a documented exit code, and a mistake is one short line."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cutline.cli.app import build
from processes import cutline_here

VALUES = (
    *("", "-1", "nan", "99999999999999999999999", "é\u202e\U0001f4a9", "folder", "a\nb", "\udcff", "/"),
    *("nowhere/x", "a\0b", "x" * 5000, "{", "="),
)
OFF = frozenset({"--help", "--version", "--port", "--start", "--rate", "--cors"})
COMMANDS = {
    "caption": ["caption", "photos", "o.jsonl", "--model", "fake"],
    "compare": ["compare", "nobody:x", "--input-path", "photos"],
    "edit": ["edit", "photos"],
    "export": ["export", "photos", "o.zip"],
    "find": ["find", "photos", "cat"],
    "history": ["history", "photos"],
    "lint": ["lint", "photos"],
    "propose": ["propose", "photos"],
    "proposals": ["proposals", "photos"],
    "serve": ["serve"],
    "studio": ["studio", "photos"],
    "undo": ["undo", "photos"],
    "words": ["words", "photos"],
}


@pytest.fixture
def port() -> Iterator[str]:
    """One that is taken, so that no server starts."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield str(taken.getsockname()[1])


@pytest.fixture
def arguments(port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Arguments of a command that works, in a folder with a picture and its caption."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("photos").mkdir()
    Path("folder").mkdir()
    Image.new("RGB", (8, 8)).save("photos/1.png")
    Path("photos/1.txt").write_text("a cat\n")
    taken = ("--port", port)
    return lambda command: [*COMMANDS[command], *(taken if command in {"serve", "studio"} else ())]


def options_of(command: str) -> list[str]:
    found = build()[command].assemble_argument_collection()
    names = {name for each in found for name in each.names if name.startswith("--") and each.parse}
    return sorted(names - OFF)


def problem_of(command: str, option: str, value: str, done: Any) -> str:
    """What is wrong with how a command ended; empty where it is sound."""
    line = f"{command} {option} {value[:40]!r}: {done.returncode}: {done.stderr[:400]}"
    if (
        done.returncode not in {0, 1, 2, 3, 4}
        or "Traceback" in done.stderr
        or "bug of cutline" in done.stderr
    ):
        return line
    refused = done.returncode == 2
    is_one_line = len(done.stderr.strip().splitlines()) == 1 and done.stderr.startswith("cutline: ")
    return "" if not refused or (is_one_line and len(done.stderr) < 1200) else line


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_with_hostile_values(command: str, arguments: Callable[[str], list[str]]) -> None:
    """Each option gets some of the values; all of them meet all kinds of options."""
    for number, option in enumerate(options_of(command)):
        for step in (0, 5) if command in {"caption", "compare"} else (0, 5, 9):
            value = VALUES[(number + step) % len(VALUES)]
            done = cutline_here(*arguments(command), option, value)
            assert not problem_of(command, option, value, done)


@pytest.mark.soak
@pytest.mark.parametrize("command", ["caption", "compare"])
def test_every_option_with_every_value(command: str, arguments: Callable[[str], list[str]]) -> None:
    """All that the test above draws from; minutes."""
    problems = []
    for option in options_of(command):
        for value in VALUES:
            done = cutline_here(*arguments(command), option, value)
            problems += filter(None, [problem_of(command, option, value, done)])
    assert problems == []


STAGES = ("words", "repetition", "opener", "echo", "language", "banned", "same", "nothing")
FORMS = ("folder:retry", "1..2:", ":", "1:repair,skip", "1:note=1", "a:action=fail,action=skip")


@pytest.mark.parametrize("name", STAGES)
def test_checks_with_hostile_values(name: str, arguments: Callable[[str], list[str]]) -> None:
    for value in (*VALUES[STAGES.index(name) % 3 :: 3], *FORMS):
        done = cutline_here(*arguments("caption"), "--check", f"{name}={value}")
        assert not problem_of("caption", f"--check {name}=", value, done)
