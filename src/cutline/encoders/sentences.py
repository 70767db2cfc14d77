"""Similarity of each sentence of a text to a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from cutline.batcher import Batcher, in_background
from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.clip import Clip
from cutline.imaging import Picture
from cutline.text.sentences import Piece, pieces_of
from cutline.weights import Say
from cutline.worker_threads import in_thread

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 16  # pictures that are encoded at once

Scored: TypeAlias = tuple[list[Piece], list[float]]
"""The sentences of a text, and the cosine of each with the picture."""


class SentenceScorer:
    """Scores sentences by a CLIP; one longer than the model reads (77 tokens) is scored in parts.

    ``model`` and ``device`` as for ``Clip``; raises as that does.
    """

    def __init__(self, model: str = DEFAULT_CLIP, *, device: str = "auto") -> None:
        self._clip = Clip(model, device=device)
        self._batcher = Batcher([self._score], size=_BATCH)

    async def open(self, say: Say) -> None:
        """Load the model; ``say`` takes lines about a download."""
        await in_background(lambda: self._clip.load(say))

    async def score(self, picture: Picture, texts: Sequence[str]) -> list[Scored]:
        """The sentences of each text with their scores.

        Raises:
            PictureError: the picture cannot be opened.
            MemoryError: the model has too little memory for it.
        """
        image = await in_thread(self._clip.decode, picture)
        return await self._batcher.submit((image, list(texts)))

    def _score(self, batch: Sequence[tuple[Image.Image, list[str]]]) -> list[list[Scored]]:
        """The scores of every text, for each of several pictures."""
        pieces = [[pieces_of(text, self._fits) for text in texts] for _, texts in batch]
        pictures = self._clip.pictures([image for image, _ in batch])
        owners = [at for at, parted in enumerate(pieces) for part in parted for _ in part]
        vectors = self._clip.texts([piece.text for parted in pieces for part in parted for piece in part])
        scores = iter(np.einsum("nd,nd->n", vectors, pictures[owners]).tolist())
        return [[(part, [next(scores) for _ in part]) for part in parted] for parted in pieces]

    def _fits(self, text: str) -> bool:
        return self._clip.count_tokens(text) <= self._clip.max_tokens

    async def aclose(self) -> None:
        self._batcher.close()
