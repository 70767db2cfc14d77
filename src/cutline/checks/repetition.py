"""Captions that say the same again, with or without small changes."""

from __future__ import annotations

import dataclasses

from cutline.checks.texts import Judgement, judge_texts
from cutline.errors import ConfigError
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.text.repetition import MOST_REPEATED, repetition, without_repeated_end


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RepetitionOptions:
    """How much of a caption may be a repetition."""

    most: float = MOST_REPEATED
    """The share of words, from 0 to 1, that may be in a five-word phrase which the text had before."""
    action: Action = "fail"
    """What becomes of a caption with more; ``repair`` cuts off the end that repeats."""


class Repetition(Check):
    """Finds loops that drift, which no search for an exact period finds.

    Of 6,290 human captions three have more than 0.15.
    """

    name = "repetition"
    Options = RepetitionOptions
    repairs = True

    def __init__(self, options: RepetitionOptions) -> None:
        super().__init__(options)
        if not 0 <= options.most <= 1:  # so that nan is refused too
            raise ConfigError(f"--check repetition takes a share from 0 to 1, not {options.most:g}")

    async def check(self, draft: Draft) -> CheckResult | Violation:
        most = self.options.most
        return judge_texts(draft, self._judge, reason=f"more than {most:.0%} repeated")

    def _judge(self, text: str) -> Judgement:
        share, most = repetition(text), self.options.most
        note = {"share": round(share, 4)}
        if share <= most:
            return Judgement(note=note)
        problem = f"{share:.0%} of the words repeat what was there before"
        return Judgement(note=note, problem=problem, repaired=without_repeated_end(text, most))
