"""Evaluate captions: read the files, put pictures together, compute the metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

from cutline import registry
from cutline.errors import ConfigError, MissingExtra
from cutline.evaluation.picture_texts import Pairing, pair_texts
from cutline.evaluation.results import (
    BY_NGRAMS,
    LENGTHS_DIFFER,
    NAMED,
    Evaluation,
    PictureScores,
    Problem,
    Score,
)
from cutline.evaluation.texts import read_texts
from cutline.interfaces import CorpusMetric
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.intervals import intervals, paired_tests
from cutline.text.corpus import Corpus, CorpusScore

_RATIO: Final = 1.5  # of mean lengths, beyond which scores of shared n-grams say little


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What is evaluated: paths, and the ``metrics`` by name; none for all that can be computed."""

    captions: str
    references: str | None = None
    against: str | None = None
    metrics: Sequence[str] = ()


def run_evaluation(plan: EvaluationPlan, message: Callable[[str], None] = lambda _: None) -> Evaluation:
    """Evaluate the captions of a plan.

    Raises:
        ConfigError: a file cannot be read, the files have no picture in common, or a metric that was
        named cannot
            be computed.
    """
    metrics, left_out = _metrics(plan)
    captions = read_texts(plan.captions, "captions")
    references = None if plan.references is None else read_texts(plan.references, "references")
    against = None if plan.against is None else read_texts(plan.against, "captions")
    pairing = pair_texts(captions, references, against)
    message(f"measuring {len(pairing.ids):,} captions")
    corpus = corpus_of(pairing.captions, pairing.references)
    other = None if pairing.others is None else corpus_of(pairing.others, pairing.references)
    ours = compute_scores(metrics, corpus, left_out)
    named = next((left_out[name] for name in map(str.lower, plan.metrics) if name in left_out), None)
    if named is not None:
        raise ConfigError(named)
    theirs = None if other is None else compute_scores(metrics, other, {})
    return Evaluation(
        captions=plan.captions,
        references=plan.references,
        against=plan.against,
        scores=_figures(ours, theirs, length_mark(corpus)),
        pictures=_pictures(pairing, ours, theirs),
        problems=[*pairing.problems, *_empty(pairing, corpus)],
        left_out=left_out,
        notes=pairing.notes,
    )


def _metrics(plan: EvaluationPlan) -> tuple[list[CorpusMetric], dict[str, str]]:
    """The metrics of a plan, and those left out with the reason."""
    known = [name for name in registry.names("metrics") if _is_of_corpus(name)]
    left_out: dict[str, str] = {}
    chosen: list[CorpusMetric] = []
    for name in plan.metrics or known:
        made = registry.load("metrics", name.lower())
        if made.needs_references and plan.references is None:
            if plan.metrics:
                raise ConfigError(f"{name} compares captions with references: give --references")
            left_out[name] = "needs --references"
        else:
            chosen.append(made())
    return chosen, left_out


def _is_of_corpus(name: str) -> bool:
    return hasattr(registry.load("metrics", name), "needs_references")


def reference_metrics() -> list[CorpusMetric]:
    """All metrics that compare captions with references."""
    made = (registry.load("metrics", name) for name in registry.names("metrics"))
    return [metric() for metric in made if getattr(metric, "needs_references", False)]


def compute_scores(
    metrics: Sequence[CorpusMetric], corpus: Corpus, left_out: dict[str, str]
) -> list[CorpusScore]:
    """The scores of all metrics; those whose extra is missing are added to ``left_out`` with the reason."""
    scores: list[CorpusScore] = []
    for metric in metrics:
        try:
            scores += metric.scores(corpus)
        except MissingExtra as error:
            left_out[metric.name] = str(error)
    return scores


def _figures(
    ours: Sequence[CorpusScore], theirs: Sequence[CorpusScore] | None, mark: str
) -> dict[str, Score]:
    tests = paired_tests(ours, theirs) if theirs is not None else [None] * len(ours)
    figures: dict[str, Score] = {}
    for place, (score, interval, test) in enumerate(zip(ours, intervals(ours), tests, strict=True)):
        low, high = interval or (None, None)
        figures[score.name] = Score(
            value=score.value,
            meaning=score.meaning,
            reason=score.reason,
            low=low,
            high=high,
            mark=mark if score.name.startswith(BY_NGRAMS) else "",
            other=None if theirs is None else theirs[place].value,
            difference=test,
        )
    return figures


def length_mark(corpus: Corpus) -> str:
    """``lengths differ`` where captions and references differ much in their mean length."""
    size = len(corpus)
    if len(corpus.lengths) == size:
        return ""
    mean, reference = float(corpus.lengths[:size].mean()), float(corpus.lengths[size:].mean())
    short, long = sorted((mean, reference))
    return LENGTHS_DIFFER if long > _RATIO * short else ""


def _pictures(
    pairing: Pairing, ours: Sequence[CorpusScore], theirs: Sequence[CorpusScore] | None
) -> list[PictureScores]:
    own, other = _columns(ours), _columns(theirs or ())
    return [
        PictureScores(
            image_id=key,
            caption=pairing.captions[place],
            scores={name: values[place] for name, values in own.items()},
            other_caption=None if pairing.others is None else pairing.others[place],
            other_scores={name: values[place] for name, values in other.items()},
        )
        for place, key in enumerate(pairing.ids)
    ]


def _columns(scores: Sequence[CorpusScore]) -> dict[str, list[float | None]]:
    """The values of all pictures by metric."""
    return {
        score.name: [None if value != value else value for value in score.by_caption.tolist()]  # noqa: PLR0124 - NaN
        for score in scores
        if score.by_caption is not None
    }


def _empty(pairing: Pairing, corpus: Corpus) -> list[Problem]:
    keys = [key for key, length in zip(pairing.ids, corpus.lengths.tolist(), strict=False) if not length]
    what = "captions without words, which score 0"
    return [Problem(what=what, count=len(keys), first=keys[:NAMED], serious=False)] if keys else []
