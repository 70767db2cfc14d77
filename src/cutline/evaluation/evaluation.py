"""Evaluate captions: read the files, put pictures together, compute the metrics."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from cutline import registry
from cutline.errors import ConfigError
from cutline.evaluation.corpus_scores import compute_scores
from cutline.evaluation.objects import find_images, read_objects
from cutline.evaluation.picture_texts import Pairing, pair_texts
from cutline.evaluation.results import (
    BY_NGRAMS,
    LENGTHS_DIFFER,
    NAMED,
    Evaluation,
    EvaluationProblem,
    MetricScore,
    PictureScores,
)
from cutline.evaluation.texts import read_texts
from cutline.formatting import did_you_mean, plural, printable
from cutline.interfaces import CorpusMetric, Need, check_members
from cutline.metrics.clip_score import PAPER_MODEL
from cutline.metrics.coco_tokenizer import corpus_of
from cutline.metrics.intervals import intervals, paired_tests
from cutline.text.corpus import Corpus, CorpusScore, ImageFiles

_RATIO: Final = 1.5  # of mean lengths, beyond which scores of shared n-grams say little


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPlan:
    """What to evaluate: paths, and the ``metrics`` by name; by default all that can be computed.

    ``images`` is the folder of the pictures and ``model`` the CLIP that compares them, ``objects`` a file of
    object lists.
    """

    captions: str
    references: str | None = None
    against: str | None = None
    metrics: Sequence[str] = ()
    images: str | None = None
    model: str | None = None
    device: str = "auto"
    objects: str | None = None

    def __post_init__(self) -> None:
        if self.images is None and self.model is not None:
            raise ConfigError("--model compares captions with pictures: give --images, their folder, too")


def run_evaluation(plan: EvaluationPlan, message: Callable[[str], None] = lambda _: None) -> Evaluation:
    """Evaluate the captions of a plan.

    Raises:
        ConfigError: a file cannot be read, the files have no picture in common, or a named metric cannot be
        computed.
    """
    chosen, left_out = _chosen(plan)
    captions = read_texts(plan.captions, "captions")
    references = None if plan.references is None else read_texts(plan.references, "references")
    against = None if plan.against is None else read_texts(plan.against, "captions")
    pairing = pair_texts(captions, references, against)
    metrics = _made(plan, chosen, pairing.ids, message)
    message(f"measuring {plural(len(pairing.ids), 'caption')}")
    corpus = corpus_of(pairing.captions, pairing.references, pairing.ids)
    other = None if pairing.others is None else corpus_of(pairing.others, pairing.references, pairing.ids)
    ours = compute_scores(metrics, corpus, left_out, message)
    named = next((left_out[name] for name in map(str.lower, plan.metrics) if name in left_out), None)
    if named is not None:
        raise ConfigError(named)
    theirs = [] if other is None else compute_scores(metrics, other, {}, message)
    return Evaluation(
        captions=plan.captions,
        references=plan.references,
        against=plan.against,
        scores=_figures((ours, length_mark(corpus)), None if other is None else (theirs, length_mark(other))),
        pictures=_pictures(pairing, ours, theirs),
        problems=[
            *pairing.problems,
            *_unscored(pairing, ours),
            *_empty(pairing, corpus),
            *_unmatchable(pairing, corpus),
            *([] if other is None else _empty(pairing, other, f" in {plan.against}")),
        ],
        left_out=left_out,
        notes=pairing.notes,
    )


_OPTIONS: Final[Mapping[Need, str]] = {
    "references": "--references",
    "objects": "--objects",
    "images": "--images",
}


def _chosen(plan: EvaluationPlan) -> tuple[list[type[CorpusMetric]], dict[str, str]]:
    """The metrics of a plan, and the omitted ones with the reason."""
    left_out: dict[str, str] = {}
    chosen: list[type[CorpusMetric]] = []
    given = {"references": plan.references, "objects": plan.objects, "images": plan.images}
    for name in dict.fromkeys(map(str.lower, plan.metrics or _of_corpora())):
        made = registry.load("metrics", name) if registry.has("metrics", name) else None
        if made is None or not hasattr(made, "needs"):
            raise ConfigError(_unknown(name))
        check_members(f"the metric {name!r}", made, CorpusMetric, "scores")
        missing = [_OPTIONS[need] for need in made.needs if given[need] is None]
        if missing and plan.metrics:
            raise ConfigError(f"{name} needs {' and '.join(missing)}: give it")
        if missing:
            left_out[name] = f"needs {' and '.join(missing)}"
        else:
            chosen.append(made)
    for option in ("objects", "images"):
        if given[option] is not None and not any(option in one.needs for one in chosen):
            raise ConfigError(f"--{option} has no effect on {', '.join(plan.metrics)}: remove it")
    return chosen, left_out


def _unknown(name: str) -> str:
    if name == "spice":
        return (
            "SPICE is not supported, as only a Java program computes its numbers: remove it, or see "
            "docs/evaluation.md for alternatives"
        )
    known = _of_corpora()
    hint = did_you_mean(name, known) or ":"
    return f"{printable(name)} is not a metric of cutline eval{hint} choose among {', '.join(known)}"


def _of_corpora() -> list[str]:
    return [name for name in registry.names("metrics") if hasattr(registry.load("metrics", name), "needs")]


def _made(
    plan: EvaluationPlan,
    chosen: Sequence[type[CorpusMetric]],
    ids: Sequence[str],
    message: Callable[[str], None],
) -> list[CorpusMetric]:
    """The metrics, with their resources."""
    needed = {need for one in chosen for need in one.needs}
    arguments: dict[str, Any] = {}
    if "objects" in needed and plan.objects is not None:
        arguments["objects"] = read_objects(plan.objects, ids)
    if "images" in needed and plan.images is not None:
        arguments["images"] = ImageFiles(
            paths=find_images(plan.images, ids),
            model=plan.model or PAPER_MODEL,
            device=plan.device,
            message=message,
        )
    return [made(**{need: arguments[need] for need in made.needs if need in arguments}) for made in chosen]


def reference_metrics() -> list[CorpusMetric]:
    """All metrics that need nothing but references."""
    made = (registry.load("metrics", name) for name in _of_corpora())
    return [metric() for metric in made if metric.needs <= {"references"}]


_Side: TypeAlias = tuple[Sequence[CorpusScore], str]  # the scores of some captions, and their mark


def _figures(ours: _Side, theirs: _Side | None) -> dict[str, MetricScore]:
    scores, mark = ours
    figures = {
        score.name: MetricScore(
            value=score.value,
            meaning=score.meaning,
            reason=score.reason,
            low=low,
            high=high,
            mark=mark if score.name.startswith(BY_NGRAMS) else "",
            higher_is_better=score.higher_is_better,
        )
        for score, (low, high) in zip(scores, map(_limits, intervals(scores)), strict=True)
    }
    if theirs is None:
        return figures
    others, other_mark = theirs
    tests = paired_tests(scores, others)
    for other, interval, test in zip(others, intervals(others), tests, strict=True):
        low, high = _limits(interval)
        figures[other.name] = dataclasses.replace(
            figures[other.name],
            other=other.value,
            other_low=low,
            other_high=high,
            other_mark=other_mark if other.name.startswith(BY_NGRAMS) else "",
            difference=test,
        )
    return figures


def _limits(interval: tuple[float, float] | None) -> tuple[float | None, float | None]:
    return interval or (None, None)


def length_mark(corpus: Corpus) -> str:
    """``lengths differ`` if the mean lengths of captions and references differ much."""
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


def _empty(pairing: Pairing, corpus: Corpus, where: str = "") -> list[EvaluationProblem]:
    keys = [key for key, length in zip(pairing.ids, corpus.lengths.tolist(), strict=False) if not length]
    what = f"captions without words{where}, which score 0"
    return [EvaluationProblem(what=what, count=len(keys), first=keys[:NAMED], serious=False)] if keys else []


def _unmatchable(pairing: Pairing, corpus: Corpus) -> list[EvaluationProblem]:
    """Pictures with a reference of which no word is left, such as one of full stops."""
    size = len(corpus)
    owners = corpus.owner[size:][corpus.lengths[size:] == 0]
    keys = [pairing.ids[place] for place in dict.fromkeys(owners.tolist())]
    what = "pictures with a reference without words, which no caption matches"
    return [EvaluationProblem(what=what, count=len(keys), first=keys[:NAMED], serious=False)] if keys else []


def _unscored(pairing: Pairing, scores: Sequence[CorpusScore]) -> list[EvaluationProblem]:
    """Pictures without a score of a metric that has one for others, such as without a file."""
    problems: list[EvaluationProblem] = []
    seen: set[tuple[str, ...]] = set()
    for score in scores:
        if score.by_caption is None or score.reason or not score.drawn:
            continue
        keys = tuple(key for key, value in zip(pairing.ids, score.by_caption, strict=True) if value != value)  # noqa: PLR0124 - NaN
        if keys and keys not in seen:
            seen.add(keys)
            problems.append(
                EvaluationProblem(what=f"pictures without {score.name}", count=len(keys), first=keys[:NAMED])
            )
    return problems
