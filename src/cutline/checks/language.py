"""Captions in another language than those that are wanted."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Final

from cutline.checks.texts import Judgement, judge_texts
from cutline.errors import ConfigError, MissingExtra
from cutline.interfaces import Action, Check, CheckResult, Draft, Violation
from cutline.worker_threads import in_thread

_SURE: Final = 0.5
"""Probability of a language from which on a text counts as being in it; most texts of two words have less."""
_EXCLUDED: Final = 0.05
"""Probability of all wanted languages together up to which a text counts as being in none of them."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LanguageOptions:
    """The languages that captions may be in."""

    of: str = ""
    """Codes of ISO 639 with commas between: ``de`` or ``de,en``."""
    action: Action = "fail"
    """What becomes of a caption in another language."""


class Language(Check):
    """Names the language of a text by py3langid, a naive Bayes model on byte n-grams.

    A text of which it is not sure, such as one of two words or a list of names, passes. Lui and Baldwin:
    langid.py, an Off-the-shelf Language Identification Tool (ACL 2012).
    """

    name = "language"
    Options = LanguageOptions

    def __init__(self, options: LanguageOptions) -> None:
        super().__init__(options)
        self._wanted = [code.strip().lower() for code in options.of.split(",") if code.strip()]
        if not self._wanted:
            raise ConfigError(
                "--check language takes codes of languages: give some, such as language=de or language=de,en"
            )
        try:
            import py3langid  # noqa: F401 - loaded in ``open``
        except ImportError as error:
            raise MissingExtra("--check language", "language") from error
        self._model: Any = None

    async def open(self, say: Callable[[str], None]) -> None:  # noqa: ARG002 - it takes a second
        """Raises ConfigError for an unknown language."""
        self._model = await in_thread(_load)
        known = self._model.labels
        for code in self._wanted:
            if code not in known:
                name = re.split("[-_]", code)[0]  # of de-AT or en_US
                hint = f", did you mean {name}?" if name in known else ""
                raise ConfigError(
                    f"--check language takes codes of ISO 639, such as en, de or zh, not {code!r}{hint}"
                )

    async def check(self, draft: Draft) -> CheckResult | Violation:
        reason = f"not in {' or '.join(self._wanted)}"
        return judge_texts(draft, self._judge, reason=reason)

    def _judge(self, text: str) -> Judgement:
        ranks = dict(self._model.rank(text))
        best = max(ranks, key=ranks.__getitem__)
        sure = ranks[best] >= _SURE
        note = {"language": best if sure else None}
        if not sure or sum(ranks[code] for code in self._wanted) > _EXCLUDED:
            return Judgement(note=note)
        return Judgement(note=note, problem=f"the caption is in {best}, not in {' or '.join(self._wanted)}")


def _load() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
