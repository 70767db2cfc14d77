"""Beginnings that speak of the picture, "The image shows …": found, and taken away."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import regex

from cutline.text.sentences import joined, pieces_of

_MARKS: Final = r"\s*(?:[*_#]{1,3}\s*)?"
_BEHIND: Final = r"[*_]{0,3}[\s,:;、，：]*(?:[*_]{2,3}\s+)?"  # noqa: RUF001 - of other scripts
_ENDS: Final = r"(?P<end>[.!?…。！？।]*[\"'”»*_)\]]*)\Z"  # noqa: RUF001 - of other scripts

_Form: TypeAlias = "tuple[regex.Pattern[str], regex.Pattern[str] | None]"


def opener_of(text: str) -> str:
    """The beginning of the text that speaks of the picture; empty where it has none."""
    found = _found(text)
    return found[0][0].strip() if found is not None else ""


def without_opener(text: str) -> str:
    """The text without such a beginning, whose upper case continues; empty where there is nothing else."""
    rest = text
    while (found := _found(rest)) is not None:  # in a row
        match, tail = found
        rest = rest[match.end() :]
        if tail is not None:
            rest = _without_tail(rest, tail)
    if rest == text:
        return text
    if not any(map(str.isalnum, rest)):
        return ""
    first = next(filter(str.isalpha, text), "")
    return rest[:1].upper() + rest[1:] if first.isupper() else rest


def _found(text: str) -> tuple[regex.Match[str], regex.Pattern[str] | None] | None:
    if _any_form().match(text) is None:  # as most captions: one pattern is tried, not fifty
        return None
    for begin, tail in _forms():
        match = begin.match(text)
        if match is not None:
            return match, tail
    return None


def _without_tail(text: str, tail: regex.Pattern[str]) -> str:
    """The text without the words at the end of its first sentence that belonged to the opener."""
    pieces = pieces_of(text, lambda _: True)
    if not pieces or (match := tail.search(pieces[0].text)) is None:
        return text
    first = pieces[0].text[: match.start()] + match["end"]
    rest = joined(pieces[1:], [True] * (len(pieces) - 1))
    return f"{first}{pieces[0].gap if rest else ''}{rest}"


@functools.cache
def opener_table() -> tuple[dict[str, Any], ...]:
    """The languages of the table as they are in the file."""
    text = importlib.resources.files("cutline.text").joinpath("openers.toml").read_text("utf-8")
    return tuple(tomllib.loads(text)["language"])


@functools.cache
def _any_form() -> re.Pattern[str]:
    """All begins as one pattern, by ``re``: of many alternatives it is ten times as fast as ``regex``."""
    begins = "|".join(begin for language in opener_table() for begin in _begins(language))
    return re.compile(f"{_MARKS}(?:{begins})", re.IGNORECASE)


@functools.cache
def _forms() -> tuple[_Form, ...]:
    return tuple(form for language in opener_table() for form in _forms_of(language))


def _forms_of(language: dict[str, Any]) -> Iterator[_Form]:
    flags = regex.IGNORECASE | regex.V1
    tail = regex.compile(language["tail"] + _ENDS, flags) if "tail" in language else None
    end = "" if language.get("spaceless") else r"(?!\w)"
    for begin in _begins(language):
        yield regex.compile(f"{_MARKS}(?:{begin}){end}{_BEHIND}", flags), tail


def _begins(language: dict[str, Any]) -> Iterator[str]:
    """The patterns of a language with its words in place of their names, and any blanks for one."""
    for pattern in language["begin"]:
        begin = pattern
        for name in ("the", "style", "picture"):
            begin = begin.replace("{" + name + "}", language[name])  # braces are of patterns too
        yield begin.replace(" ", r"\s+")
