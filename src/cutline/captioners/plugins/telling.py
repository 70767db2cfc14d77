"""What went wrong in code that is not ours, in a line that its author can use."""

from __future__ import annotations

import traceback
from pathlib import Path

from cutline.credentials import without_keys
from cutline.errors import ConfigError


def told(error: BaseException, file: str | None) -> str:
    """Kind and words of the error, and where in ``file`` it came up."""
    if isinstance(error, SyntaxError) and error.filename == file:
        words, line = f"{type(error).__name__}: {error.msg}", error.lineno
    else:
        words = without_keys(" ".join(str(error).split()))[:300]
        if not isinstance(error, ConfigError):
            words = f"{type(error).__name__}: {words}".rstrip(": ")
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        line = lines[-1] if lines else None
    return f"{words} ({Path(file).name}, line {line})" if file and line else words
