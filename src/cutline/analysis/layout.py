"""A plane on which vectors that are alike lie close together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from cutline.analysis.projection import Vectors, scale
from cutline.errors import MissingExtra

EARLY, LATE = 150, 300
"""Rounds of openTSNE: with exaggeration, and without."""
_PERPLEXITY: Final = 30
_STEP: Final = 10  # rounds between two looks at the progress
_FEWEST: Final = 4
_ALONE: Final = 2_000  # vectors for which several threads wait for each other more than they work


def tsne(reduced: Vectors, progress: Callable[[int], None] = lambda _: None, seed: int = 0) -> Vectors:
    """t-SNE (van der Maaten and Hinton, 2008; openTSNE) from the first two components; blocks for minutes.

    ``progress`` is called with rounds of ``EARLY + LATE``, in the calling thread; what it raises ends the
    computation. Returns coordinates of shape ``(n, 2)`` within -1 and 1. The same seed gives the same plane.
    """
    try:
        import openTSNE
    except ImportError:
        raise MissingExtra("t-SNE", "analysis") from None
    start = scale(reduced)
    if len(np.unique(reduced, axis=0)) < _FEWEST:
        return start
    rounds = 0

    def after_some(*_: Any) -> bool:
        nonlocal rounds
        rounds += _STEP
        progress(min(rounds, EARLY + LATE))
        return False

    options: Any = {"n_jobs": -1 if len(reduced) > _ALONE else 1, "random_state": seed}
    perplexity = min(_PERPLEXITY, (len(reduced) - 1) / 3)
    affinities: Any = openTSNE.affinity.PerplexityBasedNN(reduced, perplexity=perplexity, **options)
    progress(0)
    embedding: Any = openTSNE.TSNEEmbedding(
        openTSNE.initialization.rescale(start.astype(np.float64)),
        affinities,
        callbacks=after_some,
        callbacks_every_iters=_STEP,
        **options,
    )
    embedding = embedding.optimize(EARLY, exaggeration=12, momentum=0.5)
    embedding = embedding.optimize(LATE, momentum=0.8)
    return scale(np.asarray(embedding, np.float32))
