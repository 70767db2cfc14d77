"""Regular expressions over many captions: with Unicode's words, in threads, and with a limit on time."""

from __future__ import annotations

import concurrent.futures
import os
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from cutline.errors import ConfigError
from cutline.text.words import spellings

_PART: Final = 4096  # captions that a thread takes at once
SECONDS: Final = 20.0  # for all captions
_EACH: Final = 1.0  # for one

T = TypeVar("T")


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """ConfigError: it is not valid."""
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except regex.error as error:
        raise ConfigError(f"the pattern {pattern!r} is not valid: {error}") from None


def contains_text(
    captions: pa.Array | pa.ChunkedArray, text: str, *, ignore_case: bool = False
) -> npt.NDArray[np.bool_]:
    """Whether each caption has a text, however Unicode spells it; false where there is no caption."""
    found = np.zeros(len(captions), dtype=bool)
    for spelling in spellings(text):
        matches = pc.match_substring(captions, spelling, ignore_case=ignore_case)
        found |= pc.fill_null(matches, fill_value=False).to_numpy(zero_copy_only=False)
    return found


def search_all(
    captions: pa.ChunkedArray, pattern: str, *, ignore_case: bool = False
) -> npt.NDArray[np.bool_]:
    """Whether the pattern is found in each, false where there is no caption.

    ConfigError: it is not valid, or takes too long.
    """
    compiled = compile_pattern(pattern, ignore_case=ignore_case)

    def search(text: str, seconds: float) -> bool:
        return compiled.search(text, concurrent=True, timeout=seconds) is not None

    found = map_all(captions, search)
    return np.array([each or False for each in found], dtype=bool)


def map_all(captions: pa.ChunkedArray, call: Callable[[str, float], T]) -> list[T | None]:
    """``call(text, seconds)`` for each caption in several threads; ConfigError: it takes too long."""
    end = time.monotonic() + SECONDS
    whole = captions.combine_chunks()

    def part(start: int) -> list[T | None]:
        texts: Sequence[Any] = whole.slice(start, _PART).to_pylist()
        found: list[T | None] = []
        for text in texts:
            left = min(_EACH, end - time.monotonic())
            if left <= 0:
                raise TimeoutError
            found.append(None if text is None else call(text, left))
        return found

    try:
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            return [each for found in pool.map(part, range(0, len(whole), _PART)) for each in found]
    except TimeoutError:
        raise ConfigError("the pattern takes too long on these captions: simplify it") from None
