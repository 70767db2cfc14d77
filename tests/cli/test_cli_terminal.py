"""What a person sees: a live line at a terminal, plain lines where the output is read by a program."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from program import Run, clean_environment

from processes import PATIENCE
from server_process import Server

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")

CONTROL = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def at_terminal(*arguments: str, cwd: Path, columns: int) -> tuple[int, str]:
    """The exit code, and all that a terminal of so many columns is sent."""
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = clean_environment(TERM="xterm-256color")
    del environment["COLUMNS"]
    command = [sys.executable, "-m", "cutline", *arguments]
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=theirs, stderr=theirs, stdin=theirs)
    os.close(theirs)
    sent = bytearray()
    while True:
        try:
            data = os.read(ours, 1 << 16)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        sent += data
    os.close(ours)
    return process.wait(PATIENCE), sent.decode()


@pytest.mark.parametrize("columns", [50, 80])
def test_live_line(pictures: Path, tmp_path: Path, columns: int) -> None:
    with Server("endpoint.py", "--latency", "0.25", "--slots", "2") as server:
        code, sent = at_terminal(
            *("caption", str(pictures), "--nim-endpoint", server.url, "--max-concurrent-requests", "2"),
            cwd=tmp_path,
            columns=columns,
        )
    assert code == 0, sent
    live, _, after = sent.partition("\x1b[?25h")
    assert "\x1b[?25l" in live, "the cursor is hidden meanwhile"
    drawn = [CONTROL.sub("", line).rstrip() for line in re.split(r"[\r\n]+", live)]
    lines = [line for line in drawn if "done" in line]
    assert any("2/5 done" in line or "3/5 done" in line for line in lines), "it moves"
    assert lines[-1].partition("━ ")[2].startswith("5/5 done")
    for line in lines:
        assert re.match(r"[━╸╺ ]+ \d(/5)? done", line)
        assert len(line) <= columns
    assert any("tokens" in line for line in lines) == (columns > 50), "what has no room is left out"
    shown = [CONTROL.sub("", line).rstrip() for line in after.splitlines()]
    assert max(map(len, shown)) <= columns
    text = "\n".join(shown)
    assert re.search(r"^5 captions · \d\.\d s · 600 tokens$", text, re.MULTILINE)
    assert "→ captions.jsonl" in shown
    assert shown.index(next(line for line in shown if line.startswith("picture"))) < shown.index(
        "→ captions.jsonl"
    )


def test_log_around_the_live_line(pictures: Path, tmp_path: Path) -> None:
    code, sent = at_terminal(
        *("caption", str(pictures), "out.jsonl", "--model", "fake:latency=0.3,slots=1", "--verbose"),
        cwd=tmp_path,
        columns=110,
    )
    assert code == 0, sent
    lines = [CONTROL.sub("", line).rstrip() for line in re.split(r"[\r\n]+", sent)]
    logged = [line for line in lines if " DEBUG captioned key=" in line]
    assert len(logged) == 5
    for line in logged:
        assert re.fullmatch(r"\d\d:\d\d:\d\d DEBUG captioned key=\w+\.jpg tokens=\d+ seconds=[\d.]+", line)


def test_plain_lines_for_a_program(cutline: Run, pictures: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake:latency=0.55,slots=1")
    assert ran.code == 0
    assert "\x1b" not in ran.out + ran.err
    assert ran.out == ""
    first, *rest = ran.err.splitlines()
    assert re.match(r"[23]/5 done · .* in flight$", first), "after two seconds, then every ten"
    assert rest[0].startswith("5 captions · ")
    assert rest[1] == "→ out.jsonl"
    assert len(rest) == 2


def test_nothing_but_errors(cutline: Run, pictures: Path) -> None:
    ran = cutline("caption", str(pictures), "out.jsonl", "--model", "fake", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")


def test_a_reader_that_goes_away(pictures: Path, tmp_path: Path) -> None:
    """As with ``cutline prompts | head -1``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cutline", "prompts"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(),
        cwd=tmp_path,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    process.stderr.close()
    assert process.wait(PATIENCE) in {1, 141}
    assert b"Traceback" not in said
