"""Metrics of captions, beside their picture or of a whole output."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, TypeAlias

from cutline.imaging import Picture
from cutline.interfaces.messages import Say

if TYPE_CHECKING:
    from cutline.text.corpus import Corpus, CorpusScore


class Metric(Protocol):
    """Scores captions beside their picture, for comparisons; made as ``metric(model, device=…)``."""

    name: str
    meaning: str
    """What the number says, in a sentence."""

    async def open(self, say: Callable[[str], None]) -> None:
        """As for a stage."""

    async def score(self, picture: Picture, texts: Sequence[str]) -> Sequence[float | None]:
        """A score or None for each text; PictureError, or ConfigError for too little memory."""
        ...

    async def aclose(self) -> None:
        """Free what the metric holds; called once."""


Need: TypeAlias = Literal["references", "objects", "images"]
"""What a metric compares captions with."""


class CorpusMetric(Protocol):
    """Scores all captions of an output at once.

    Made without arguments, or with ``objects=`` (a ``cutline.text.corpus.ObjectLists``) and ``images=`` (an
    ``ImageFiles``) where it needs them.
    """

    name: str
    needs: ClassVar[frozenset[Need]]

    def open(self, say: Say) -> None:
        """Load what the metric needs; ConfigError where that is not possible."""

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        """One or several scores; ConfigError where what the metric needs is not installed."""
        ...
