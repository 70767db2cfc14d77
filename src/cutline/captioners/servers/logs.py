"""What the log of a server tells: how far it is, and why it ended."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from cutline.credentials import Secret
from cutline.formatting import printable

_READ = 64_000  # bytes from the end
_LINES = 6
_MOST = 500  # characters of a message
_ERROR = re.compile(r"(?:^|[])]\s+)([A-Za-z_][\w.]*(?:Error|Exception): \S.*)")
"""An exception that begins its line, or what follows the head that a log puts before it."""


def newest_line(log: Path, key: Secret | None) -> str:
    """The last line, cut to what has room beside a progress bar."""
    return next(iter(_lines(log, key)[-1:]), "")[-100:]


def last_words(log: Path, key: Secret | None) -> str:
    """Why a server ended, as one line: the errors in its log, else its last lines.

    Of many errors the first one is the cause, and the last one says what came of it.
    """
    lines = _lines(log, key)
    errors = [match[1] for line in lines if (match := _ERROR.search(line))]
    if errors:
        first, last = errors[0], errors[-1]
        told = first[:_MOST] if first == last else f"{first[: _MOST // 2]} … {last[: _MOST // 2]}"
        return f"its log {log} tells: {told}"
    end = " | ".join(lines[-_LINES:])[-_MOST:]
    return f"its log {log} ends: {end}" if end else f"its log {log} is empty"


def _lines(log: Path, key: Secret | None) -> list[str]:
    """The last lines with something to read, without the key should it stand there."""
    text = ""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - _READ))
        text = file.read().decode(errors="replace").replace("\r", "\n")
    if key is not None:
        text = key.redact(text)
    return [printable(line.strip()) for line in text.splitlines() if line.strip(" ^~-=")]
