"""What models put around their answers, from ``reply_forms.toml``, as compiled patterns."""

from __future__ import annotations

import functools
import importlib.resources
import re
import tomllib
from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

FinishKind: TypeAlias = Literal["", "truncated", "refused", "broken"]

_WORD = re.compile(r"[^a-z0-9]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_USUAL_ENDS: dict[str, FinishKind] = {"stop": "", "length": "truncated"}


@functools.cache
def table() -> dict[str, Any]:
    """The table as it is in the file."""
    text = importlib.resources.files("cutline.prompts").joinpath("reply_forms.toml").read_text("utf-8")
    return tomllib.loads(text)


@functools.cache
def reasoning_open() -> re.Pattern[str]:
    """The begin of reasoning; the last group that matched is ``rN``, N being its place in the table."""
    forms = (f"(?P<r{place}>{form['open']})" for place, form in enumerate(table()["reasoning"]))
    # A caption may begin with such a tag, as that is written on something.
    shown = r"(?!\s+(?:is|was|are) (?:written|painted|printed|shown|engraved|displayed)\b)"
    return re.compile(rf"\s*(?:{'|'.join(forms)}){shown}", re.IGNORECASE)


@functools.cache
def reasoning_close(place: int) -> re.Pattern[str]:
    """The end of the reasoning at that place in the table."""
    return re.compile(table()["reasoning"][place]["close"], re.IGNORECASE)


def is_paired(place: int) -> bool:
    """Whether that form is reasoning only where its end is in the reply too."""
    return bool(table()["reasoning"][place].get("paired"))


@functools.cache
def reasoning_alone() -> re.Pattern[str]:
    """The end of reasoning whose begin is not in the reply."""
    ends = (form["alone"] for form in table()["reasoning"] if "alone" in form)
    return re.compile(any_of(ends), re.IGNORECASE)


@functools.cache
def turn_start(*, words: bool) -> re.Pattern[str]:
    """Marks at the start of a turn, with ``words`` also those that are ordinary text."""
    turn = table()["turn"]
    marks = any_of([*turn["start"], *(turn["start_words"] if words else ())])
    return re.compile(rf"(?:\s*(?:{marks}))+\s*")


@functools.cache
def turn_end(*, words: bool) -> re.Pattern[str]:
    """One mark at the end of what is searched, with ``words`` also those that are ordinary text."""
    turn = table()["turn"]
    return re.compile(rf"(?:{any_of([*turn['end'], *(turn['end_words'] if words else ())])})\Z")


@functools.cache
def next_turn() -> re.Pattern[str]:
    return re.compile(any_of(table()["turn"]["next"]))


TURN_SIGNS = r"[<\[#]|(?i:user|assistant|human)"
"""What is in every text in which ``next_turn`` finds something, also for RE2."""


@functools.cache
def box() -> re.Pattern[str]:
    return re.compile(any_of(table()["wrapper"]["box"]))


@functools.cache
def fence() -> re.Pattern[str]:
    """A code fence around the whole reply."""
    return re.compile(
        rf"\s*(?P<mark>```|~~~)(?:{any_of(table()['wrapper']['fence'])})[ \t]*\n"
        r"(?P<text>(?:(?!(?P=mark)).)*)(?P=mark)\s*\Z",
        re.DOTALL | re.IGNORECASE,
    )


@functools.cache
def named_wrapper() -> re.Pattern[str]:
    """A pair of tags of any such name around the whole reply."""
    name = table()["wrapper"]["named"]
    return re.compile(
        rf"\s*<(?P<name>{name})>(?P<text>(?:(?!</?(?P=name)>).)*)</(?P=name)>\s*\Z", re.DOTALL | re.IGNORECASE
    )


@functools.cache
def bracketed() -> tuple[re.Pattern[str], ...]:
    """The same names in square brackets, and between a begin and an end of that name."""
    names = table()["wrapper"]
    answer, name = (
        any_of(each.replace("_", "[ _]") for each in some)
        for some in (names["answer"], [*names["answer"], *names["whole"]])
    )
    inner = rf"(?P<text>(?:(?!\[/?(?:{name})\]).)*)"
    forms = (
        rf"\s*[\[【](?:{name})[\]】]:?{inner}(?:\[/(?:{name})\])?\s*\Z",
        rf"(?:.*\[(?:{answer})\]:?)?{inner}\[/(?:{name})\]\s*\Z",
        (
            rf"\s*[\[<=-]+\s*(?:begin|start)[ _](?:of[ _])?(?:{name})[\]>\s=-]+(?P<text>.+?)"
            rf"[\[<=\s-]+end[ _](?:of[ _])?(?:{name})[\]>\s=-]+\Z"
        ),
    )
    return tuple(re.compile(form, re.DOTALL | re.IGNORECASE) for form in forms)


@functools.cache
def phrase_end() -> re.Pattern[str]:
    return re.compile(table()["marks"]["phrase_end"])


@functools.cache
def sentence_end() -> re.Pattern[str]:
    return re.compile(table()["marks"]["sentence_end"])


@functools.lru_cache(maxsize=64)
def finish_kind(reason: str) -> FinishKind:
    """What a finish reason means, in any case and form: ``MAX_TOKENS``, ``finishReason.maxTokens``."""
    if reason in _USUAL_ENDS:
        return _USUAL_ENDS[reason]
    word = _WORD.sub("_", _CAMEL.sub("_", reason.rpartition(".")[2]).lower()).strip("_")
    word = word.removeprefix("finish_reason_").removeprefix("stop_reason_")
    known = _finish_kinds().get(word)
    if known is not None or not word:
        return known or ""
    words = set(word.split("_"))
    found = (kind for kind, *signs in table()["finish"]["words"] if not words.isdisjoint(signs))
    return next(found, "")


@functools.cache
def _finish_kinds() -> dict[str, FinishKind]:
    kinds: dict[str, FinishKind] = dict.fromkeys(table()["finish"]["ended"], "")
    for kind in ("truncated", "refused", "broken"):
        kinds |= dict.fromkeys(table()["finish"][kind], kind)
    return kinds


def any_of(patterns: Iterable[str]) -> str:
    """A pattern for one of several."""
    return "|".join(f"(?:{pattern})" for pattern in patterns)
