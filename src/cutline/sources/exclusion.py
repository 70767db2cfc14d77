"""Files and folders that are left out by their names."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

DEFAULTS = ("@eaDir/", "#recycle/", "$RECYCLE.BIN/", "__MACOSX/", "*-masklabel.png", "*-condlabel.png")
"""Thumbnails and dustbins of storage devices, macOS's copies, and masks as OneTrainer names them."""
NONE = "none"


class Exclusion:
    """Patterns as in a shell, each for a name or, with a slash within, for a path from the input's folder.

    A pattern with a slash at its end is for folders. The defaults hold too, unless ``none`` is among them.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        names: list[str] = []
        paths: list[str] = []
        for pattern in (*(() if NONE in patterns else DEFAULTS), *patterns):
            if pattern != NONE:
                (paths if "/" in pattern.rstrip("/") else names).append(pattern.removeprefix("/"))
        self._names, self._paths = _any(names), _any(paths)

    def covers(self, path: str) -> bool:
        """Whether a file, or a folder that it is in, is left out."""
        parts = path.split("/")
        folders = ("/".join(parts[:depth]) + "/" for depth in range(1, len(parts)))
        return self.matches(path) or any(map(self.matches, folders))

    def matches(self, path: str) -> bool:
        """Whether the relative path is left out; that of a folder ends with a slash."""
        folder = path.endswith("/")
        name = path.rstrip("/").rpartition("/")[2] + ("/" if folder else "")
        return any(
            pattern.match(text) is not None or (folder and pattern.match(text[:-1]) is not None)
            for pattern, text in ((self._names, name), (self._paths, path))
            if pattern is not None
        )


def _any(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(fnmatch.translate, patterns))) if patterns else None
