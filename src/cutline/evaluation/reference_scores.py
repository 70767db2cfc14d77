"""Scores against references of the captions of several models, for comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from cutline.engine.picture_ids import match_ids
from cutline.evaluation.evaluation import compute_scores, length_mark, reference_metrics
from cutline.evaluation.results import BY_NGRAMS
from cutline.evaluation.texts import read_texts
from cutline.metrics.coco_tokenizer import corpus_of


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceScores:
    """The scores of one model's captions, of each picture and of all; ``marks`` say what to know of those."""

    by_picture: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    totals: Mapping[str, float] = dataclasses.field(default_factory=dict)
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)


class ReferenceScorer:
    """Scores captions against the references of a file; ``meanings`` describes the metrics.

    Raises:
        ConfigError: the file cannot be read, or holds no references.
    """

    def __init__(self, path: str, message: Callable[[str], None]) -> None:
        self._texts = read_texts(path, "references")
        self._references: dict[str, list[str]] = {}
        self._message = message
        self.meanings: dict[str, str] = {}

    def match(self, keys: Sequence[str], source: str) -> None:
        """Find the references of pictures; ConfigError: none of them has any."""
        matched = match_ids(keys, self._texts.by_id, self._texts.file_names, (source, self._texts.path))
        for key, other in matched.pairs.items():
            if texts := [text for text in self._texts.by_id[other] if text.strip()]:
                self._references[key] = texts
        missing = len(keys) - len(self._references)
        if missing:
            self._message(f"{missing:,} of {len(keys):,} pictures have no references in {self._texts.path}")

    def score(self, candidates: Sequence[Mapping[str, str]]) -> list[ReferenceScores]:
        """The scores of each candidate's captions by picture.

        Over the pictures for which all of them have a caption, so that the numbers can be compared;
        candidates without any caption leave the others' alone.
        """
        common = self._common([captions.keys() for captions in candidates if captions])
        left_out: dict[str, str] = {}
        metrics = reference_metrics()
        result = []
        for captions in candidates:
            keys = [key for key in common if key in captions]
            if not keys:
                result.append(ReferenceScores())
                continue
            corpus = corpus_of([captions[key] for key in keys], [self._references[key] for key in keys])
            scores = compute_scores(metrics, corpus, left_out, self._message)
            mark = length_mark(corpus)
            self.meanings |= {score.name: f"{score.meaning} {_over(len(keys))}" for score in scores}
            totals = {score.name: value for score in scores if (value := score.value) is not None}
            by_picture: dict[str, dict[str, float]] = {key: {} for key in keys}
            for score in scores:
                if score.by_caption is not None and score.name in totals:
                    for key, value in zip(keys, score.by_caption.tolist(), strict=True):
                        by_picture[key][score.name] = value
            marks = {name: mark for name in totals if mark and name.startswith(BY_NGRAMS)}
            result.append(ReferenceScores(by_picture=by_picture, totals=totals, marks=marks))
        for name, reason in left_out.items():
            self._message(f"{name} is left out: {reason}")
        return result

    def _common(self, captioned: Sequence[Collection[str]]) -> list[str]:
        return [key for key in self._references if all(key in keys for keys in captioned)]


def _over(pictures: int) -> str:
    return f"Over the {pictures:,} pictures with references, and captions of all."
