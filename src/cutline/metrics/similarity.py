"""How like its picture a caption is, by CLIP."""

from __future__ import annotations

from collections.abc import Sequence

from cutline.encoders.sentences import SentenceScorer
from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces import Metric
from cutline.weights import Say


class CaptionSimilarity(Metric):
    """The mean cosine of a caption's sentences with the picture; ``model`` and ``device`` as for ``Clip``.

    Raises:
        MissingExtra: torch and transformers are not installed.
    """

    name = "similarity"
    meaning = "Cosine of a caption's sentences with the picture, by the model of --similarity-model."

    def __init__(self, model: str, *, device: str = "auto") -> None:
        self._scorer = SentenceScorer(model, device=device)

    async def open(self, say: Say) -> None:
        """Load the model; raises ConfigError where that is not possible."""
        await self._scorer.open(say)

    async def score(self, picture: Picture, texts: Sequence[str]) -> list[float | None]:
        """A score for each text; None for one without words."""
        if not texts:
            return []
        try:
            scored = await self._scorer.score(picture, texts)
        except MemoryError:
            raise ConfigError(
                "--similarity-model needs more memory than there is: give a smaller one"
            ) from None
        return [_mean([round(score, 4) for score in scores]) for _, scores in scored]

    async def aclose(self) -> None:
        await self._scorer.aclose()


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None
