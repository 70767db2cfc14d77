"""``cutline.evaluate``: the command as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cutline.evaluation.evaluation import EvaluationPlan, run_evaluation
from cutline.evaluation.results import Evaluation


def evaluate(
    captions: str | Path,
    references: str | Path | None = None,
    *,
    against: str | Path | None = None,
    metrics: Sequence[str] = (),
    images: str | Path | None = None,
    model: str | None = None,
    device: str = "auto",
    objects: str | Path | None = None,
) -> Evaluation:
    """Measure captions: against references, for length and variety, per picture and for all.

    Blocks; what is missing or wrong in the files is in the result.

    Args:
        captions: an output of cutline, a folder of texts, or COCO results.
        references: what people wrote: the same kinds of file, COCO annotations, or ``{id: [text, ...]}``.
        against: other captions of the same pictures, for a paired test.
        metrics: names such as "cider-d"; none for all that can be computed.
        images: the folder of the pictures, for CLIPScore.
        model: the CLIP of CLIPScore, name or folder; by default the one of its paper.
        device: where it runs, as for ``caption``.
        objects: a file of objects and what each picture shows, for CHAIR.

    Raises:
        ConfigError: a file cannot be read, no picture is in both, or a metric that was named cannot be
        computed.
    """
    return run_evaluation(
        EvaluationPlan(
            captions=str(captions),
            references=_path(references),
            against=_path(against),
            metrics=tuple(metrics),
            images=_path(images),
            model=model,
            device=device,
            objects=_path(objects),
        )
    )


def _path(path: str | Path | None) -> str | None:
    return None if path is None else str(path)
