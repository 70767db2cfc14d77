"""Objects that EfficientNet-Lite0 recognises, in plain words; its weights are part of a package."""

from __future__ import annotations

import dataclasses
import importlib.resources
from typing import Final

import numpy as np
from PIL import Image

from cutline.captioners.pixels.grammar import with_article
from cutline.encoders.efficientnet import efficientnet_classes

SURE: Final = 0.65
"""Probability from which an object is named; see docs/design/pixels.md for what it was measured on."""
OBJECT_SIDE: Final = 640
"""Pixels of a picture's longer side, as it is given to ``recognize``."""
_LISTED: Final = 0.1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RecognizedObject:
    """``phrase`` is the name with its article; ``probability`` that of all classes with this name."""

    name: str
    phrase: str
    probability: float


class ObjectRecognizer:
    """Recognises one object in a picture, by the mean of two views: its middle, and all of it.

    Raises:
        MissingExtra: the extra ``objects`` is not installed.
    """

    def __init__(self) -> None:
        self._network = efficientnet_classes(device="cpu")
        self._words, self._word_of_class = _read_words()

    def load(self) -> None:
        self._network.load()

    def recognize(self, image: Image.Image) -> list[RecognizedObject]:
        """What an RGB picture may show, from a probability of 0.1, the most probable first."""
        views = [self._network.crop(image), self._network.crop(image, whole=True)]
        logits = self._network.features(views).astype(np.float64)
        odds = np.exp(logits - logits.max(axis=1, keepdims=True))
        classes = (odds / odds.sum(axis=1, keepdims=True)).mean(axis=0)
        named = self._word_of_class >= 0
        shares = np.bincount(self._word_of_class[named], classes[named], len(self._words))
        return [
            RecognizedObject(
                name=self._words[at].rstrip("*"),
                phrase=_phrase(self._words[at]),
                probability=round(float(shares[at]), 3),
            )
            for at in np.argsort(-shares, kind="stable")
            if shares[at] >= _LISTED
        ]


def sure_object(found: list[RecognizedObject]) -> RecognizedObject | None:
    """The object to name; None where none is sure."""
    return found[0] if found and found[0].probability >= SURE else None


def _phrase(word: str) -> str:
    return word.rstrip("*") if word.endswith("*") else with_article(word)


def _read_words() -> tuple[list[str], np.ndarray]:
    """The words, and for each class the number of its word, -1 for none."""
    text = importlib.resources.files("cutline.captioners.pixels").joinpath("objects.txt").read_text("utf-8")
    words: list[str] = []
    word_of_class = np.full(1000, -1)
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        word, _, ranges = line.partition(": ")
        for each in ranges.split(", "):
            first, _, last = each.partition("-")
            word_of_class[int(first) : int(last or first) + 1] = len(words)
        words.append(word)
    return words, word_of_class
