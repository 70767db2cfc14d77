"""For checks that look at each text of a reply for itself: the caption, and the texts among its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from cutline.interfaces import CheckResult, Draft, Violation


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What a check finds in one text: ``problem``, which is empty for a good one, and the note on it.

    ``repaired`` is the text as it can be mended; empty where it cannot.
    """

    note: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    problem: str = ""
    repaired: str = ""


def judge_texts(draft: Draft, judge: Callable[[str], Judgement], *, reason: str) -> CheckResult | Violation:
    """The draft as it is, or what is wrong with the caption or with a text among the fields.

    The note is the caption's, with those of bad fields as ``fields``; ``reason`` is that of a violation.
    """
    inner = list(_texts(draft.fields))
    found = {text: judge(text) for text in dict.fromkeys([draft.text, *(text for _, text in inner)])}
    note, own = dict(found[draft.text].note), found[draft.text].problem
    bad = {place: found[text] for place, text in inner if found[text].problem}
    if bad:
        note["fields"] = {place: dict(judged.note) for place, judged in bad.items()}
    if not own and not bad:
        return CheckResult(text=draft.text, fields=draft.fields, note=note)
    place, first = next(iter(bad.items()), ("", found[draft.text]))
    message = own or f"{place}: {first.problem}"
    repaired = None
    if all(one.repaired for one in found.values() if one.problem):

        def mended(text: str) -> str:
            return found[text].repaired if found[text].problem else text

        removed = [_removed(text, one.repaired) for text, one in found.items() if one.problem]
        repaired = CheckResult(
            text=mended(draft.text), fields=_replaced(draft.fields, mended), note={**note, "removed": removed}
        )
    return Violation(reason=reason, message=message, note=note, repaired=repaired)


def _removed(text: str, rest: str) -> str:
    """What a repair took from the beginning or the end of a text."""
    if text.startswith(rest):
        return text[len(rest) :].strip()
    behind = rest[1:]
    return text[: -len(behind) - 1].strip() if behind and text.endswith(behind) else text


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CheckedText:
    """What is left of one text, and the note on it."""

    text: str
    note: Mapping[str, Any]


async def check_texts(
    draft: Draft, check: Callable[[Sequence[str]], Awaitable[Sequence[CheckedText]]]
) -> CheckResult:
    """The draft with every text replaced by what ``check`` leaves of it.

    Equal texts are checked once. The note is the caption's, with those of changed fields as ``fields``.
    """
    inner = list(_texts(draft.fields))
    texts = list(dict.fromkeys([draft.text, *(text for _, text in inner)]))
    results = dict(zip(texts, await check(texts), strict=True))
    note = dict(results[draft.text].note)
    changed = {place: results[text].note for place, text in inner if results[text].text != text}
    if changed:
        note["fields"] = changed
    return CheckResult(
        text=results[draft.text].text,
        fields=_replaced(draft.fields, lambda text: results[text].text) if changed else draft.fields,
        note=note,
    )


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text within the values of a structured caption, with its path, such as ``people.0.dress``."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, f"{place}.{name}" if place else str(name))


def _replaced(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {name: _replaced(item, change) for name, item in value.items()}
    return [_replaced(item, change) for item in value] if isinstance(value, list) else value
