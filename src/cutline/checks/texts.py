"""For checks that look at each text of a reply for itself: the caption, and the texts among its fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any

from cutline.interfaces import CheckResult, Draft


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
