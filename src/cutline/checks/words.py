"""Refuses captions that are too short or too long."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from cutline.errors import ConfigError
from cutline.formatting import plural
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.text.differences import words

_RANGE = re.compile(r"(\d*)\.\.(\d*)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WordsOptions:
    """How many words a caption may have."""

    range: str = ".."
    """``5..120``, ``5..`` or ``..120``, both ends included."""
    action: Action = "fail"
    """What becomes of a caption with another number of words."""


class Words(Check):
    """Counts the caption's words; in scripts without spaces every character is one."""

    name = "words"
    Options = WordsOptions

    def __init__(self, options: WordsOptions) -> None:
        super().__init__(options)
        if options.range == "..":
            raise ConfigError("--check words needs a range, such as words=5..120")
        found = _RANGE.fullmatch(options.range.replace(" ", ""))
        if found is None or not any(found.groups()):
            raise ConfigError(f"--check words takes a range such as words=5..120, not {options.range!r}")
        self._minimum = int(found[1] or 0)
        self._maximum = int(found[2]) if found[2] else None
        if self._maximum is not None and self._minimum > self._maximum:
            raise ConfigError(
                f"--check words takes a range from the smaller number to the larger, not {options.range!r}"
            )

    async def check(self, draft: Draft) -> CheckResult | Violation:
        count, reason = len(words(draft.text)), ""
        if count < self._minimum:
            reason = f"fewer than {self._minimum} words"
        elif self._maximum is not None and count > self._maximum:
            reason = f"more than {self._maximum} words"
        if not reason:
            return CheckResult(text=draft.text, fields=draft.fields, note={"words": count})
        message = f"the caption has {reason}: {count}"
        return Violation(reason=reason, message=message, note={"words": count})

    def summary(self, counts: Mapping[str, int]) -> str:
        outside = sum(counts.get(name, 0) for name in ("skipped", "failed", "noted", "retried captions"))
        bounds = [f"fewer than {self._minimum}"] if self._minimum else []
        bounds += [] if self._maximum is None else [f"more than {self._maximum}"]
        return f"{plural(outside, 'caption')} with {' or '.join(bounds or ['fewer than 0'])} words"
