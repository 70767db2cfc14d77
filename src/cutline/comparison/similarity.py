"""How like its picture each caption is, by CLIP."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cutline.errors import ConfigError
from cutline.imaging import Picture

NAME = "similarity"


class CaptionSimilarity:
    """The mean cosine of a caption's sentences with the picture; ``model`` and ``device`` as for ``Clip``.

    Raises:
        MissingExtra: torch and transformers are not installed.
    """

    def __init__(self, model: str, *, device: str) -> None:
        from cutline.checks.similarity import Similarity

        self._check = Similarity(least=-1.0, model=model, device=device)  # which drops nothing

    async def open(self, say: Callable[[str], None]) -> None:
        """Load the model; raises ConfigError where that cannot be done."""
        await self._check.open(say)

    async def score(self, picture: Picture, texts: Sequence[str]) -> list[float | None]:
        """A score for each text; None for one without words.

        Raises:
            PictureError: the picture cannot be opened.
            ConfigError: there is too little memory for the model.
        """
        if not texts:
            return []
        try:
            checked = await self._check.check(picture, texts)
        except MemoryError:
            raise ConfigError(
                "--similarity-model needs more memory than there is: give a smaller one"
            ) from None
        return [_mean(one.note["kept"]) for one in checked]

    async def aclose(self) -> None:
        await self._check.aclose()


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None
