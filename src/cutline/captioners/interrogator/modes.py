"""How words are chosen for a picture: the four modes of the CLIP Interrogator.

Follows version 0.6 of the package, so that its users find the same words again, with one difference:
where it ranks a long list in chunks, and may lose some of the best, the whole list is ranked here.
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

CANDIDATES: Final = 2048  # labels that a chain is made of
_LONGEST: Final = 32  # labels in a chain, and those that fast adds
_SHORTEST: Final = 8  # labels that a chain goes on to add even where none of them helps
_CLASSIC: Final = 3  # flavors


class Table:
    """Labels with their vectors."""

    def __init__(self, labels: Sequence[str], vectors: np.ndarray) -> None:
        self.labels = labels
        self._vectors = vectors

    def rank(self, picture: np.ndarray, count: int, *, reverse: bool = False) -> list[str]:
        """The labels most like the picture (or, in ``reverse``, least), the first of equals first."""
        scores = self._vectors @ picture
        order = np.argsort(scores if reverse else -scores, kind="stable")
        return [self.labels[at] for at in order[:count]]


class Modes:
    """The modes, for one CLIP and one set of labels. Blocks while it encodes the labels."""

    def __init__(self, clip: Clip, labels: Labels, say: Say) -> None:
        self._clip = clip
        self._negative = labels.negative
        # In this order: it decides between equals.
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
        """The words for a picture's vector, beginning with ``caption`` in all modes but ``negative``."""
        if mode == "negative":
            return self.negative(picture)
        return {"best": self.best, "fast": self.fast, "classic": self.classic}[mode](picture, caption)

    def classic(self, picture: np.ndarray, caption: str) -> str:
        """The caption with a medium, an artist, a site, a movement and three flavors, in this order."""
        medium, artist, trending, movement = (
            self._tables[kind].rank(picture, 1)[0]
            for kind in ("mediums", "artists", "trendings", "movements")
        )
        flavors = ", ".join(self._tables["flavors"].rank(picture, _CLASSIC))
        what = caption if caption.startswith(medium) else f"{caption}, {medium}"
        return self._shortened(f"{what} {artist}, {trending}, {movement}, {flavors}")

    def fast(self, picture: np.ndarray, caption: str) -> str:
        """The caption with the labels that are most like the picture."""
        return self._shortened(", ".join([caption, *self._merged.rank(picture, _LONGEST)]))

    def best(self, picture: np.ndarray, caption: str) -> str:
        """The most similar of: the caption, what ``classic`` and ``fast`` give, and a chain of labels."""
        labels = self._merged.rank(picture, CANDIDATES)
        score = float(self._scores(picture, [caption])[0])
        chained = self._chain(picture, labels, begun=caption, score=score)
        texts = [caption, self.classic(picture, caption), self.fast(picture, caption), chained]
        return texts[int(np.argmax(self._scores(picture, texts)))]

    def negative(self, picture: np.ndarray) -> str:
        """A chain of the words that are least like the picture."""
        flavors = self._tables["flavors"].rank(picture, CANDIDATES, reverse=True)
        return self._chain(picture, [*flavors, *self._negative], reverse=True)

    def _chain(
        self,
        picture: np.ndarray,
        labels: Iterable[str],
        *,
        begun: str = "",
        score: float = 0.0,
        reverse: bool = False,
    ) -> str:
        """The best text on the way of adding label after label, each time the one that helps most."""
        left = list(dict.fromkeys(labels))
        sign = -1 if reverse else 1
        if not begun:
            scores = self._scores(picture, left)
            at = int(np.argmax(sign * scores))
            # Its sign is left as it is, as in the original: a chain in reverse must become less
            # similar than the first word is similar.
            begun, score = left.pop(at), float(scores[at])
        best, best_score = current, current_score = begun, score
        for count in range(_LONGEST):
            if not left:
                break
            texts = [f"{current}, {label}" for label in left]
            scores = sign * self._scores(picture, texts)
            at = int(np.argmax(scores))
            if scores[at] > best_score:
                best, best_score = texts[at], float(scores[at])
            if scores[at] <= current_score and count >= _SHORTEST:
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

    def _shortened(self, text: str) -> str:
        """As many of the parts between commas as CLIP reads."""
        first, *parts = text.split(", ")
        for part in parts:
            if self._is_full(first + part):  # without the comma, as in the original
                break
            first += f", {part}"
        return first
