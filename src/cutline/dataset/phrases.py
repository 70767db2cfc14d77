"""Quick phrases of a dataset, which a key inserts into a caption; stored in its history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import orjson

from cutline.dataset.history import History
from cutline.errors import ConfigError

MOST: Final = 9  # one for each digit
_LONGEST: Final = 2000  # characters
_NAME: Final = "/phrases"


def read_phrases(history: History) -> list[str]:
    """The saved phrases; none at first. Raises as the history."""
    content = history.value(_NAME)
    return orjson.loads(content) if content is not None else []


def write_phrases(history: History, phrases: Sequence[str]) -> list[str]:
    """Replace the phrases; returns the saved ones.

    ConfigError: there are more than nine, or one is too long. Raises as the history otherwise.
    """
    kept = [phrase.strip() for phrase in phrases]
    while kept and not kept[-1]:
        kept.pop()
    if len(kept) > MOST:
        raise ConfigError(f"there are {len(kept)} quick phrases: leave at most {MOST}")
    if any(len(phrase) > _LONGEST for phrase in kept):
        raise ConfigError(f"a quick phrase has more than {_LONGEST} characters: shorten it")
    history.store({_NAME: orjson.dumps(kept) if kept else None})
    return kept
