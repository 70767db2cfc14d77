"""Captions that begin with the picture instead of what it shows: "The image shows …"."""

from __future__ import annotations

import dataclasses

from cutline.checks.texts import Judgement, judge_texts
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.text.openers import opener_of, without_opener


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OpenerOptions:
    """What becomes of a caption that begins with an opener."""

    action: Action = "fail"
    """``repair`` takes the opener away."""


class Opener(Check):
    """Finds the openers of ``text/openers.toml``, in twenty languages."""

    name = "opener"
    Options = OpenerOptions
    repairs = True

    async def check(self, draft: Draft) -> CheckResult | Violation:
        return judge_texts(draft, _judge, reason="begins with an opener")


def _judge(text: str) -> Judgement:
    opener = opener_of(text)
    if not opener:
        return Judgement()
    problem = f"the caption begins with {opener[:60]!r}"
    return Judgement(note={"opener": opener}, problem=problem, repaired=without_opener(text))
