"""The four modes of the CLIP Interrogator.

Reproduces the captions of version 0.6 of the package, with one difference: it ranks long lists in chunks,
which may lose some of the best; here the whole list is ranked.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

import numpy as np

from cutline.captioners.interrogator.labels import Labels
from cutline.captioners.interrogator.vectors import label_vectors
from cutline.encoders.clip import Clip
from cutline.weights import Say

Mode: TypeAlias = Literal["best", "fast", "classic", "negative"]

_MAX_LABELS: Final = 32  # of a chain, and of fast
_MIN_LABELS: Final = 8  # of a chain, even if none improves the score
_CLASSIC: Final = 3  # flavors of classic, alone


class Table:
    """Labels with their vectors."""

    def __init__(self, labels: Sequence[str], vectors: np.ndarray) -> None:
        self.labels = labels
        self._vectors = vectors

    def rank(self, picture: np.ndarray, count: int, *, reverse: bool = False) -> list[str]:
        """The most similar labels (in ``reverse``, the least similar), stable for equal scores."""
        scores = self._vectors @ picture
        order = np.argsort(scores if reverse else -scores, kind="stable")
        return [self.labels[at] for at in order[:count]]


class Modes:
    """The modes for one CLIP and one set of labels. The constructor blocks while it encodes them.

    ``best`` and ``negative`` build their chains of ``candidates`` labels.
    """

    def __init__(self, clip: Clip, labels: Labels, say: Say, *, candidates: int = 2048) -> None:
        self._clip = clip
        self._candidates = candidates
        self._negative = labels.negative
        # The order decides between equal scores.
        kinds = ("artists", "flavors", "mediums", "movements", "trendings")
        every = [label for kind in kinds for label in getattr(labels, kind)]
        vectors = label_vectors(clip, every, say)
        self._merged = Table(every, vectors)
        self._tables: dict[str, Table] = {}
        start = 0
        for kind in kinds:
            own = getattr(labels, kind)
            self._tables[kind] = Table(own, vectors[start : start + len(own)])
            start += len(own)

    def run(self, mode: Mode, picture: np.ndarray, caption: str) -> str:
        """The text for a picture's vector, which starts with ``caption`` except in ``negative``."""
        if mode == "negative":
            return self.negative(picture)
        return {"best": self.best, "fast": self.fast, "classic": self.classic}[mode](picture, caption)

    def classic(self, picture: np.ndarray, caption: str, *, flavors: int = _CLASSIC) -> str:
        """The caption with a medium, an artist, a site, a movement and ``flavors``, in this order."""
        medium, artist, trending, movement = (
            self._tables[kind].rank(picture, 1)[0]
            for kind in ("mediums", "artists", "trendings", "movements")
        )
        what = caption if caption.startswith(medium) else f"{caption}, {medium}"
        rest = ", ".join([trending, movement, *self._tables["flavors"].rank(picture, flavors)])
        return self._truncated(f"{what} {artist}, {rest}")

    def fast(self, picture: np.ndarray, caption: str) -> str:
        """The caption with the most similar labels."""
        return self._truncated(", ".join([caption, *self._merged.rank(picture, _MAX_LABELS)]))

    def best(self, picture: np.ndarray, caption: str) -> str:
        """The most similar of: the caption, ``classic`` with more flavors, ``fast``, a chain of labels."""
        labels = self._merged.rank(picture, self._candidates)
        score = float(self._scores(picture, [caption])[0])
        chained = self._chain(picture, labels, initial=caption, score=score)
        classic = self.classic(picture, caption, flavors=_MAX_LABELS)
        texts = [caption, classic, self.fast(picture, caption), chained]
        return texts[int(np.argmax(self._scores(picture, texts)))]

    def negative(self, picture: np.ndarray) -> str:
        """A chain of the least similar labels."""
        flavors = self._tables["flavors"].rank(picture, self._candidates, reverse=True)
        return self._chain(picture, [*flavors, *self._negative], reverse=True)

    def _chain(
        self,
        picture: np.ndarray,
        labels: Iterable[str],
        *,
        initial: str = "",
        score: float = 0.0,
        reverse: bool = False,
    ) -> str:
        """Add greedily the label that improves the score most; returns the best text so far."""
        left = list(dict.fromkeys(labels))
        sign = -1 if reverse else 1
        if not initial:
            scores = self._scores(picture, left)
            at = int(np.argmax(sign * scores))
            # The sign of its score is kept, as in the original.
            initial, score = left.pop(at), float(scores[at])
        best, best_score = current, current_score = initial, score
        for count in range(_MAX_LABELS):
            if not left:
                break
            texts = [f"{current}, {label}" for label in left]
            scores = sign * self._scores(picture, texts)
            at = int(np.argmax(scores))
            if scores[at] > best_score:
                best, best_score = texts[at], float(scores[at])
            if scores[at] <= current_score and count >= _MIN_LABELS:
                break
            current, current_score = texts[at], float(scores[at])
            if self._is_full(current):
                break
            del left[at]
        return best

    def _scores(self, picture: np.ndarray, texts: Sequence[str]) -> np.ndarray:
        scores: np.ndarray = self._clip.texts(texts) @ picture
        return scores

    def _is_full(self, text: str) -> bool:
        return self._clip.count_tokens(text) >= self._clip.max_tokens

    def _truncated(self, text: str) -> str:
        """As many of the comma-separated parts as CLIP encodes."""
        first, *parts = text.split(", ")
        for part in parts:
            if self._is_full(first + part):  # without the comma, as in the original
                break
            first += f", {part}"
        return first
