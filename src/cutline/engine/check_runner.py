"""The checks between chain and output: what they leave of a caption, and what they noted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from cutline.errors import RunStopped, SampleError
from cutline.imaging import Picture
from cutline.interfaces import Check, Checked
from cutline.records import JSON


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the checks left; ``notes`` by the check's name, None when there are no checks."""

    text: str
    fields: JSON | None
    notes: JSON | None = None


class CheckRunner:
    """Several checks as one, each on what the one before it left."""

    def __init__(self, checks: Sequence[Check] = ()) -> None:
        self._checks = checks

    def __bool__(self) -> bool:
        return bool(self._checks)

    async def open(self, say: Callable[[str], None]) -> None:
        """Get everything ready before anything is paid for; raises as the checks do."""
        for check in self._checks:
            await check.open(say)

    async def apply(self, picture: Picture, text: str, fields: JSON | None) -> Verdict:
        """The checks' verdict on a caption and the texts among its fields.

        Raises:
            SampleError: a check broke, or ran out of memory, for this picture.
            RunStopped: no picture can be checked until the user changes something.
        """
        verdict = Verdict(text=text, fields=fields, notes={} if self._checks else None)
        for check in self._checks:
            try:
                verdict = await _checked(check, picture, verdict)
            except (RunStopped, SampleError):
                raise
            except MemoryError:
                message = f"{check.name} needs more memory than there is for this picture"
                raise SampleError("out-of-memory", message) from None
            except Exception as error:  # whatever a check raises is this picture's failure
                cause = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
                raise SampleError("check", f"{check.name}: {cause}") from error
        return verdict

    async def aclose(self) -> None:
        for check in self._checks:
            await check.aclose()


async def _checked(check: Check, picture: Picture, verdict: Verdict) -> Verdict:
    inner = list(_texts(verdict.fields))
    texts = list(dict.fromkeys([verdict.text, *(text for _, text in inner)]))
    results: dict[str, Checked] = dict(zip(texts, await check.check(picture, texts), strict=True))
    note = dict(results[verdict.text].note)
    changed = {place: results[text].note for place, text in inner if results[text].text != text}
    if changed:
        note["fields"] = changed
    return Verdict(
        text=results[verdict.text].text,
        fields=_replaced(verdict.fields, lambda text: results[text].text) if changed else verdict.fields,
        notes={**(verdict.notes or {}), check.name: note},
    )


def _texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Every text within the values of a structured caption, with where it is, such as ``people.0.dress``."""
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
