"""Words that say little of a picture, by language or of a file."""

from __future__ import annotations

import functools
import importlib.resources
import tomllib
from collections.abc import Sequence
from pathlib import Path

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.setting_files import read_text


@functools.cache
def _lists() -> dict[str, str]:
    text = importlib.resources.files("cutline.analysis").joinpath("stop_words.toml").read_text("utf-8")
    return tomllib.loads(text)


def languages() -> list[str]:
    """The languages that have a list, by their two letters."""
    return sorted(_lists())


def stop_words(names: Sequence[str]) -> frozenset[str]:
    """The words of several languages and files together, in lower case; a file has words between blanks.

    Raises:
        ConfigError: a name is neither a language nor a file, or the file cannot be read.
    """
    found: set[str] = set()
    for name in names:
        text = _lists().get(name)
        if text is None:
            text = _of_file(name)
        found.update(text.lower().split())
    return frozenset(found)


def _of_file(name: str) -> str:
    if not Path(name).exists():
        raise ConfigError(
            f"there are no stop words of {name!r}{did_you_mean(name, languages())}: give a file of words, "
            f"or {', '.join(languages())}"
        )
    return read_text(Path(name), "file of stop words")
