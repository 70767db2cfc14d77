"""Regular expressions over many captions: with Unicode's words, in threads, and with a limit on time."""

from __future__ import annotations

import concurrent.futures
import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import regex

from cutline.errors import ConfigError
from cutline.formatting import quoted
from cutline.processors import usable_processors
from cutline.text.words import spellings

_PART: Final = 4096  # captions that a thread takes at once
SECONDS: Final = 20.0  # for all captions
_EACH: Final = 1.0  # for one
_NEAR: Final = r"[^\x00-\x7f](?:{0})|(?:{0})[^\x00-\x7f]"
_FOLDED: Final = "[\\x{130}\\x{17f}\\x{212a}]"  # letters beyond ASCII that are i, s and k in another case

_end: Final[ContextVar[float | None]] = ContextVar("end", default=None)

T = TypeVar("T")


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """Let all searches within share the time that one of them has."""
    token = _end.set(time.monotonic() + SECONDS)
    try:
        yield
    finally:
        _end.reset(token)


def compile_pattern(pattern: str, *, ignore_case: bool = False) -> regex.Pattern[str]:
    """ConfigError: it is not valid."""
    try:
        return regex.compile(pattern, regex.IGNORECASE if ignore_case else 0)
    except regex.error as error:
        raise ConfigError(f"the pattern {quoted(pattern)} is not valid: {error}") from None


def contains_text(
    captions: pa.Array | pa.ChunkedArray, text: str, *, ignore_case: bool = False
) -> npt.NDArray[np.bool_]:
    """Whether each caption contains a text in any Unicode form; false without a caption."""
    found = np.zeros(len(captions), dtype=bool)
    for spelling in spellings(text):
        matches = pc.match_substring(captions, spelling, ignore_case=ignore_case)
        found |= pc.fill_null(matches, fill_value=False).to_numpy(zero_copy_only=False)
    return found


def replace_ascii(
    captions: pa.Array, text: str, new: str, *, word: bool, ignore_case: bool
) -> tuple[pa.Array, npt.NDArray[np.bool_]]:
    """Replace an ASCII text with Arrow, and mark captions where `regex` may replace more.

    Arrow's RE2 knows only ASCII words and folds case differently, so captions with other letters beside or in
    the text are marked.
    """
    plain = re.escape(text)
    fold = "(?i:{})" if ignore_case else "{}"
    left, right = (r"\b" if word and re.match(r"\w", edge, re.ASCII) else "" for edge in (text[0], text[-1]))
    foreign = [_NEAR.format(fold.format(plain))] if word else []
    foreign += [_FOLDED] if ignore_case else []
    pattern = left + fold.format(plain) + right
    replaced = pc.replace_substring_regex(captions, pattern, new.replace("\\", r"\\"))
    if not foreign:
        return replaced, np.zeros(len(captions), dtype=bool)
    unsure = pc.match_substring_regex(captions, "|".join(foreign))
    return replaced, pc.fill_null(unsure, fill_value=False).to_numpy(zero_copy_only=False)


def search_all(
    captions: pa.ChunkedArray, pattern: str, *, ignore_case: bool = False
) -> npt.NDArray[np.bool_]:
    """Whether each caption matches the pattern, false without a caption.

    ConfigError: it is not valid, or takes too long.
    """
    compiled = compile_pattern(pattern, ignore_case=ignore_case)

    def search(text: str, seconds: float) -> bool:
        return compiled.search(text, concurrent=True, timeout=seconds) is not None

    found = map_all(captions, search)
    return np.array([each or False for each in found], dtype=bool)


def map_all(captions: pa.ChunkedArray, call: Callable[[str, float], T]) -> list[T | None]:
    """``call(text, seconds)`` for each caption in several threads; ConfigError: it takes too long."""
    end = _end.get() or time.monotonic() + SECONDS

    def part(start: int) -> list[T | None]:
        texts: Sequence[Any] = captions.slice(start, _PART).to_pylist()
        found: list[T | None] = []
        for text in texts:
            left = min(_EACH, end - time.monotonic())
            if left <= 0:
                raise TimeoutError
            found.append(None if text is None else call(text, left))
        return found

    try:
        with concurrent.futures.ThreadPoolExecutor(usable_processors()) as pool:
            return [each for found in pool.map(part, range(0, len(captions), _PART)) for each in found]
    except TimeoutError:
        raise ConfigError("the pattern takes too long on these captions: simplify it") from None
