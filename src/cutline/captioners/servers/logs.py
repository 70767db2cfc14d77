"""Progress and the cause of an exit, from the log of a server."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from cutline.credentials import Secret
from cutline.formatting import printable

_TAIL = 64_000  # bytes from the end
_MAX_LINES = 6
_MAX_LENGTH = 500  # characters
_ERROR = re.compile(r"(?:^|[])]\s+)([A-Za-z_][\w.]*(?:Error|Exception): \S.*)")
"""An exception at the start of a line, or after the log's prefix."""


def newest_line(log: Path, key: Secret | None) -> str:
    """The last line, cut to fit beside a progress bar."""
    return next(iter(_lines(log, key)[-1:]), "")[-100:]


def exit_reason(log: Path, key: Secret | None) -> str:
    """Why a server ended, on one line: the errors in its log, otherwise its last lines.

    Of many errors the first is the cause, and the last is its consequence.
    """
    lines = _lines(log, key)
    errors = [match[1] for line in lines if (match := _ERROR.search(line))]
    if errors:
        first, last, half = errors[0], errors[-1], _MAX_LENGTH // 2
        message = first[:_MAX_LENGTH] if first == last else f"{first[:half]} … {last[:half]}"
        return f"its log {log} has: {message}"
    end = " | ".join(lines[-_MAX_LINES:])[-_MAX_LENGTH:]
    return f"its log {log} ends: {end}" if end else f"its log {log} is empty"


def _lines(log: Path, key: Secret | None) -> list[str]:
    """The last non-empty lines, with the key redacted."""
    text = ""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL))
        text = file.read().decode(errors="replace").replace("\r", "\n")
    if key is not None:
        text = key.redact(text)
    return [printable(line.strip()) for line in text.splitlines() if line.strip(" ^~-=")]
