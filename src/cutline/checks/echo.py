"""Captions in which the prompt comes back."""

from __future__ import annotations

import dataclasses

from cutline.checks.texts import Judgement, judge_texts
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.text.echo import echo_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EchoOptions:
    """What becomes of a caption that repeats its prompt."""

    action: Action = "fail"
    """What becomes of it."""


class Echo(Check):
    """Finds sentences of prompt and system message in the caption; texts of variables do not count."""

    name = "echo"
    Options = EchoOptions

    async def check(self, draft: Draft) -> CheckResult | Violation:
        def judge(text: str) -> Judgement:
            found = next(filter(None, (echo_of(text, prompt) for prompt in draft.prompt)), "")
            if not found:
                return Judgement()
            return Judgement(note={"echo": found}, problem=f"the caption repeats the prompt: {found[:80]!r}")

        return judge_texts(draft, judge, reason="repeats the prompt")
