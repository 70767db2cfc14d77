"""Drops the sentences of a caption that do not look like the picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cutline.batcher import Batcher, in_background
from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.clip import Clip
from cutline.imaging import Picture
from cutline.interfaces import Checked
from cutline.records import JSON
from cutline.text.sentences import Piece, joined, pieces_of
from cutline.weights import Say
from cutline.worker_threads import in_thread

if TYPE_CHECKING:
    from PIL import Image

_BATCH = 16  # pictures that are encoded at once
_Scored = list[tuple[list[Piece], list[float]]]


class Similarity:
    """Keeps the sentences whose cosine with the picture is ``least`` or more, by a CLIP.

    A sentence longer than the model reads (77 tokens) is judged in parts. The best sentence is always
    kept, so that no text becomes empty. ``model`` and ``device`` as for ``Clip``; raises as that does.
    """

    name = "similarity"

    def __init__(self, *, least: float, model: str = DEFAULT_CLIP, device: str = "auto") -> None:
        self._least = least
        self._clip = Clip(model, device=device)
        self._batching = Batcher([self._score], size=_BATCH)

    async def open(self, say: Say) -> None:
        """Load the model; ``say`` is told of a download."""
        await in_background(lambda: self._clip.load(say))

    async def check(self, picture: Picture, texts: Sequence[str]) -> list[Checked]:
        """What is left of each text; the note has ``kept``, scores, and ``dropped``, sentences with theirs.

        Raises:
            PictureError: the picture cannot be opened.
            MemoryError: the model has too little memory for it.
        """
        image = await in_thread(self._clip.look, picture)
        scored = await self._batching.submit((image, list(texts)))
        return [
            self._checked(text, pieces, scores) for text, (pieces, scores) in zip(texts, scored, strict=True)
        ]

    def _score(self, batch: Sequence[tuple[Image.Image, list[str]]]) -> list[_Scored]:
        """Every text's pieces and their scores, for each of several pictures."""
        pieces = [[pieces_of(text, self._fits) for text in texts] for _, texts in batch]
        pictures = self._clip.pictures([image for image, _ in batch])
        owners = [at for at, parted in enumerate(pieces) for part in parted for _ in part]
        vectors = self._clip.texts([piece.text for parted in pieces for part in parted for piece in part])
        scores = iter(np.einsum("nd,nd->n", vectors, pictures[owners]).tolist())
        return [[(part, [next(scores) for _ in part]) for part in parted] for parted in pieces]

    def _fits(self, text: str) -> bool:
        return self._clip.count_tokens(text) <= self._clip.most_tokens

    def _checked(self, text: str, pieces: list[Piece], scores: list[float]) -> Checked:
        if not pieces:
            return Checked(text=text, note={"kept": [], "dropped": []})
        best = max(scores)
        # A score that is no number says nothing against its sentence.
        kept = [math.isnan(score) or score >= self._least or score == best for score in scores]
        note: JSON = {
            "kept": [round(score, 4) for score, keep in zip(scores, kept, strict=True) if keep],
            "dropped": [
                {"text": piece.text, "score": round(score, 4)}
                for piece, score, keep in zip(pieces, scores, kept, strict=True)
                if not keep
            ],
        }
        return Checked(text=text if all(kept) else joined(pieces, kept), note=note)

    async def aclose(self) -> None:
        self._batching.close()
