"""Drops the sentences of a caption that do not look like the picture."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from cutline.checks.texts import CheckedText, check_texts
from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.sentences import SentenceScorer
from cutline.errors import ConfigError
from cutline.formatting import plural
from cutline.interfaces import Check, CheckResult, Draft
from cutline.records import JSON
from cutline.text.sentences import Piece, joined
from cutline.weights import Say


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityOptions:
    """What --min-similarity and --similarity-model stand for."""

    minimum: float = 0.2
    """The smallest cosine with the picture that a sentence is kept with, from -1 to 1."""
    model: str = DEFAULT_CLIP
    """CLIP or SigLIP: name or folder."""
    device: str = "auto"
    """Where it computes."""


class Similarity(Check):
    """Keeps the sentences whose cosine with the picture, by a CLIP, is ``minimum`` or more.

    The best sentence is always kept, so that no text becomes empty.
    """

    name = "similarity"
    Options = SimilarityOptions

    def __init__(self, options: SimilarityOptions) -> None:
        super().__init__(options)
        if not -1 <= options.minimum <= 1:  # so that nan is refused too
            raise ConfigError(f"--check similarity takes a cosine from -1 to 1, not {options.minimum:g}")
        self._scorer = SentenceScorer(options.model, device=options.device)

    @property
    def fingerprint(self) -> str:
        return f"{self.options.minimum} by {self.options.model}"

    async def open(self, say: Say) -> None:
        await self._scorer.open(say)

    async def check(self, draft: Draft) -> CheckResult:
        """The note has ``kept``, scores, and ``dropped``, sentences with theirs.

        Raises:
            PictureError: the picture cannot be opened.
            MemoryError: the model has too little memory for it.
        """

        async def check_all(texts: Sequence[str]) -> list[CheckedText]:
            scored = await self._scorer.score(draft.picture, texts)
            return [self._checked(text, *one) for text, one in zip(texts, scored, strict=True)]

        return await check_texts(draft, check_all)

    def _checked(self, text: str, pieces: list[Piece], scores: list[float]) -> CheckedText:
        if not pieces:
            return CheckedText(text=text, note={"kept": [], "dropped": []})
        best, minimum = max(scores), self.options.minimum
        # A score that is not a number is no evidence against its sentence.
        kept = [math.isnan(score) or score >= minimum or score == best for score in scores]
        note: JSON = {
            "kept": [round(score, 4) for score, keep in zip(scores, kept, strict=True) if keep],
            "dropped": [
                {"text": piece.text, "score": round(score, 4)}
                for piece, score, keep in zip(pieces, scores, kept, strict=True)
                if not keep
            ],
        }
        return CheckedText(text=text if all(kept) else joined(pieces, kept), note=note)

    def summary(self, counts: Mapping[str, int]) -> str:
        sentences, captions = counts.get("dropped", 0), counts.get("dropped captions", 0)
        return f"dropped {plural(sentences, 'sentence')} of {plural(captions, 'caption')}"

    async def aclose(self) -> None:
        await self._scorer.aclose()
