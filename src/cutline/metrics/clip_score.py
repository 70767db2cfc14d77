"""CLIPScore and RefCLIPScore."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar, Final

from cutline.encoders.clip import Clip
from cutline.errors import ConfigError, PictureError
from cutline.imaging import Picture
from cutline.interfaces import CorpusMetric, Need, Say
from cutline.locations.stored import LocalFile
from cutline.text.corpus import Corpus, CorpusScore, ImageFiles, mean_score
from cutline.text.sentences import pieces_of

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

PAPER_MODEL: Final = "openai/clip-vit-base-patch32"
"""The model of the paper, whose scores are published."""

_OVERSAMPLING: Final = 8  # the paper scales whole pictures: from twice the size scores differ
_WEIGHT: Final = 2.5
_PREFIX: Final = "A photo depicts "
_BATCH: Final = 32  # pictures in memory at a time


class ClipScore(CorpusMetric):
    """2.5 times the cosine of caption and picture, and with references its harmonic mean with the
    nearest of them.

    Each text gets the paper's prefix "A photo depicts ". One that is longer than the model reads (77
    tokens) is scored by its sentences, of which the mean counts: the paper cuts it instead.

    Source: Hessel et al., "CLIPScore: A Reference-free Evaluation Metric for Image Captioning", EMNLP 2021.
    """

    name = "clipscore"
    needs: ClassVar[frozenset[Need]] = frozenset({"images"})

    def __init__(self, *, images: ImageFiles) -> None:
        self._images = images
        self._clip = Clip(images.model, device=images.device)

    def open(self, say: Say) -> None:
        """Load the model; raises ConfigError where that is not possible."""
        self._clip.load(say)

    def scores(self, corpus: Corpus) -> Sequence[CorpusScore]:
        """Raises ConfigError: the model needs more memory than there is."""
        import numpy as np

        values = np.full((len(corpus), 2), np.nan)
        try:
            long = sum(self._score(corpus, batch, values) for batch in self._batches(corpus))
        except MemoryError:
            raise ConfigError("--model needs more memory than there is: give a smaller one") from None
        if long:
            self._images.message(
                f"{long:,} captions are longer than {self._images.model} reads: scored by sentences"
            )
        scores = [mean_score("CLIPScore", "2.5 times the cosine of caption and picture.", values[:, 0])]
        if corpus.reference_counts.any():
            meaning = "Harmonic mean of CLIPScore and the cosine with the nearest reference."
            scores.append(mean_score("RefCLIPScore", meaning, values[:, 1]))
        return scores

    def _batches(self, corpus: Corpus) -> Iterable[list[tuple[int, Image.Image]]]:
        """The captions whose pictures can be opened, with these."""
        batch: list[tuple[int, Image.Image]] = []
        for caption, key in enumerate(corpus.keys):
            path = self._images.paths.get(key)
            if path is None:
                continue
            try:
                batch.append(
                    (caption, self._clip.decode(Picture(LocalFile(path)), oversampling=_OVERSAMPLING))
                )
            except PictureError:
                continue  # has no score, and is named
            if len(batch) == _BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _score(self, corpus: Corpus, batch: Sequence[tuple[int, Image.Image]], values: np.ndarray) -> int:
        """Set the scores of some captions; returns how many of them are longer than the model reads."""
        import numpy as np

        pictures = self._clip.pictures([image for _, image in batch])
        long = 0
        for (caption, _), picture in zip(batch, pictures, strict=True):
            vectors = self._vectors(corpus.captions[caption])
            if not len(vectors):
                values[caption] = 0.0
                continue
            long += len(vectors) > 1
            score = _WEIGHT * float(np.maximum(vectors @ picture, 0).mean())
            values[caption, 0] = score
            references = corpus.references[caption]
            if references:
                own = _mean(vectors)
                nearest = max(float(own @ _mean(self._vectors(text))) for text in references)
                values[caption, 1] = _harmonic(score, max(nearest, 0.0))
        return long

    def _vectors(self, text: str) -> np.ndarray:
        """The text as a unit vector, or its sentences as several."""
        if self._fits(text):
            parts = [text] if text.strip() else []
        else:
            parts = [piece.text for piece in pieces_of(text, self._fits)]
        return self._clip.texts([_PREFIX + part for part in parts])

    def _fits(self, text: str) -> bool:
        return self._clip.count_tokens(_PREFIX + text) <= self._clip.max_tokens


def _mean(vectors: np.ndarray) -> np.ndarray:
    """The mean of unit vectors as one."""
    total: np.ndarray = vectors.sum(axis=0)
    length = float((total**2).sum()) ** 0.5
    return total / length if length else total


def _harmonic(one: float, other: float) -> float:
    return 2 * one * other / (one + other) if one + other else 0.0
