"""Compute the metrics of a corpus, each apart from what another one lacks or does wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cutline import registry
from cutline.errors import ConfigError, CutlineError, MissingExtra
from cutline.formatting import one_line
from cutline.interfaces import CorpusMetric, Say
from cutline.text.corpus import Corpus, CorpusScore

_LONG: Final = 5_000  # captions, from which on every metric is named before it is computed


def compute_scores(
    metrics: Sequence[CorpusMetric], corpus: Corpus, left_out: dict[str, str], message: Say
) -> list[CorpusScore]:
    """The scores of all metrics; those whose extra is missing are added to ``left_out`` with the reason.

    Raises:
        ConfigError: a metric cannot run here, or a plug-in's breaks.
    """
    scores: list[CorpusScore] = []
    for metric in metrics:
        try:
            metric.open(message)
            if len(corpus) >= _LONG:
                message(f"computing {metric.name}")
            found = metric.scores(corpus)
            _check_scores(found, corpus, [score.name for score in scores])
        except MissingExtra as error:
            left_out[metric.name] = str(error)
        except (CutlineError, MemoryError):
            raise
        except (Exception, SystemExit) as error:
            if metric.name in registry.BUILT_IN["metrics"]:
                raise
            reason = f"{type(error).__name__}: {one_line(error)}"
            raise ConfigError(
                f"the metric {metric.name!r} broke: {reason}; correct it, or compute without it"
            ) from error
        else:
            scores += found
    return scores


def _check_scores(scores: Sequence[CorpusScore], corpus: Corpus, taken: Sequence[str]) -> None:
    """Raise TypeError or ValueError for what is no score of each caption."""
    for score in scores:
        if not isinstance(score, CorpusScore):
            raise TypeError(f"scores returned a {type(score).__name__} within its list, not a CorpusScore")
        if score.name in taken:
            raise ValueError(f"another metric has a score {score.name!r}: choose another name")
        for values in (score.by_caption, score.statistics):
            if values is not None and len(values) != len(corpus):
                raise ValueError(f"{score.name!r} has values of {len(values)} captions, not of {len(corpus)}")
