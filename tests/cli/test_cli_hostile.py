"""Whatever an option is given: a documented exit code, and a mistake is one short line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

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


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_with_hostile_values(
    command: str, port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each option gets some of the values; all of them meet all kinds of options."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("photos").mkdir()
    Path("folder").mkdir()
    Image.new("RGB", (8, 8)).save("photos/1.png")
    Path("photos/1.txt").write_text("a cat\n")
    arguments = [*COMMANDS[command], *(("--port", port) if command in {"serve", "studio"} else ())]
    found = build()[command].assemble_argument_collection()
    options = sorted({name for each in found for name in each.names if name.startswith("--") and each.parse})
    for number, option in enumerate(option for option in options if option not in OFF):
        for step in (0, 5) if command in {"caption", "compare"} else (0, 5, 9):
            value = VALUES[(number + step) % len(VALUES)]
            done = cutline_here(*arguments, option, value)
            line = f"{command} {option} {value[:40]!r}: {done.returncode}: {done.stderr[:400]}"
            assert done.returncode in {0, 1, 2, 3, 4}, line
            assert "Traceback" not in done.stderr, line
            assert "bug of cutline" not in done.stderr, line
            if done.returncode == 2:
                assert len(done.stderr.strip().splitlines()) == 1, line
                assert len(done.stderr) < 1200, line
                assert done.stderr.startswith("cutline: "), line
