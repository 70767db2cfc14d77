"""Scores against references of the captions of several models, for comparisons."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence

from cutline.engine.picture_ids import match_ids
from cutline.evaluation.corpus_scores import compute_scores
from cutline.evaluation.evaluation import length_mark, reference_metrics
from cutline.evaluation.picture_texts import problem_list, problems_of, without_caption
from cutline.evaluation.results import BY_NGRAMS
from cutline.evaluation.texts import read_texts
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.intervals import intervals


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceScores:
    """The scores of one model's captions, per picture and for all; ``marks`` qualify the latter.

    ``intervals`` are their 95 % intervals, as in ``cutline eval``.
    """

    by_picture: Mapping[str, Mapping[str, float]] = dataclasses.field(default_factory=dict)
    totals: Mapping[str, float] = dataclasses.field(default_factory=dict)
    marks: Mapping[str, str] = dataclasses.field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = dataclasses.field(default_factory=dict)


class ReferenceScorer:
    """Scores captions against the references of a file; ``meanings`` describes the metrics.

    Raises:
        ConfigError: the file cannot be read, or holds no references.
    """

    def __init__(self, path: str, message: Callable[[str], None]) -> None:
        self._texts = read_texts(path, "references")
        self._problems = problems_of(self._texts)
        self._references: dict[str, list[str]] = {}
        self._message = message
        self.meanings: dict[str, str] = {}

    def match(self, keys: Sequence[str], source: str, *, is_part: bool) -> None:
        """Find the references of pictures; ConfigError if none has any.

        ``is_part``: there are more pictures, which references may be of.
        """
        matched = match_ids(keys, self._texts.by_id, self._texts.file_names, (source, self._texts.path))
        for key, other in matched.pairs.items():
            if texts := [text for text in self._texts.by_id[other] if text.strip()]:
                self._references[key] = texts
        missing = [key for key in keys if key not in self._references]
        self._problems += problem_list(f"pictures without a reference in {self._texts.path}", missing)
        if not is_part:
            self._problems += without_caption(self._texts, matched.pairs.values())
        for problem in self._problems:
            self._message(str(problem))

    @property
    def is_complete(self) -> bool:
        """Whether all that the file holds is text of a picture, and every picture has some."""
        return not any(problem.serious for problem in self._problems)

    def score(self, candidates: Sequence[Mapping[str, str]]) -> list[ReferenceScores]:
        """The scores of each candidate's captions by picture.

        Only over pictures with a caption by every candidate, so that the numbers are comparable; candidates
        without any caption are ignored.
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
            limits = {
                score.name: found
                for score, found in zip(scores, intervals(scores), strict=True)
                if found is not None and score.name in totals
            }
            result.append(
                ReferenceScores(by_picture=by_picture, totals=totals, marks=marks, intervals=limits)
            )
        for name, reason in left_out.items():
            self._message(f"{name} is left out: {reason}")
        return result

    def _common(self, captioned: Sequence[Collection[str]]) -> list[str]:
        return [key for key in self._references if all(key in keys for keys in captioned)]


def _over(pictures: int) -> str:
    return f"Over the {pictures:,} pictures with references, and captions of all."
