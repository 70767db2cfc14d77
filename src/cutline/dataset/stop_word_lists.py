"""Stop words of a dataset: lists by language, which a user may replace."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import orjson

from cutline.analysis.stop_words import languages, stop_words
from cutline.dataset.history import History
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean

_PREFIX: Final = "/stop-words/"
_MOST: Final = 20_000  # words of a language
_LONGEST: Final = 100  # characters


def read_stop_words(history: History, names: Sequence[str]) -> frozenset[str]:
    """The words of languages and files together, in lower case; a saved list replaces that of its language.

    Raises ConfigError as ``stop_words``, and as the history.
    """
    found: set[str] = set()
    for name in names:
        kept = history.value(_PREFIX + name) if name in languages() else None
        found.update(stop_words([name]) if kept is None else orjson.loads(kept))
    return frozenset(found)


def is_kept(history: History, language: str) -> bool:
    """Whether the dataset has its own list. ConfigError: there is no such language."""
    _check(language)
    return history.value(_PREFIX + language) is not None


def keep_stop_words(history: History, language: str, words: Iterable[str] | None) -> frozenset[str]:
    """Save the words of a language in place of its list, or restore that with None; returns them.

    ConfigError: there is no such language, or there are too many words. Raises as the history otherwise.
    """
    _check(language)
    if words is None:
        history.store({_PREFIX + language: None})
        return stop_words([language])
    kept = sorted({part for word in words for part in word.lower().split()})
    if len(kept) > _MOST or any(len(word) > _LONGEST for word in kept):
        raise ConfigError(f"a list has at most {_MOST:,} stop words of {_LONGEST} characters")
    history.store({_PREFIX + language: orjson.dumps(kept)})
    return frozenset(kept)


def _check(language: str) -> None:
    if language not in languages():
        known = ", ".join(languages())
        raise ConfigError(
            f"there are no stop words of {language!r}{did_you_mean(language, languages())}: there are {known}"
        )
