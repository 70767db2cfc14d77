"""``cutline.evaluate``: the command as a function."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cutline.call_options import path_of
from cutline.evaluation.evaluation import EvaluationPlan, run_evaluation
from cutline.evaluation.results import Evaluation
from cutline.keyword_names import keyword_names


@keyword_names("references", "against", "metrics", "images", "objects")
def evaluate(
    captions: str | Path,
    references: str | Path | None = None,
    *,
    against: str | Path | None = None,
    metrics: str | Sequence[str] = (),
    images: str | Path | None = None,
    model: str | None = None,
    device: str = "auto",
    objects: str | Path | None = None,
) -> Evaluation:
    """Measure captions: against references, for length and variety, per picture and for all.

    Blocks. The result lists what is missing or damaged in the files.

    Args:
        captions: an output of cutline, a folder of texts, or COCO results.
        references: captions by people: the same kinds of file, COCO annotations, or ``{id: [text, ...]}``.
        against: other captions of the same pictures, for a paired test.
        metrics: one or several names such as "cider-d"; by default all that can be computed.
        images: the folder of the pictures, for CLIPScore.
        model: the CLIP model of CLIPScore, name or folder; by default that of its paper.
        device: as for ``caption``.
        objects: a file of objects and what each picture shows, for CHAIR.

    Raises:
        ConfigError: a file cannot be read, the files have no picture in common, or a named metric cannot be
        computed.
    """
    return run_evaluation(
        EvaluationPlan(
            captions=path_of(captions, "captions"),
            references=_path(references, "references"),
            against=_path(against, "against"),
            metrics=(metrics,) if isinstance(metrics, str) else tuple(metrics),
            images=_path(images, "images"),
            model=model,
            device=device,
            objects=_path(objects, "objects"),
        )
    )


def _path(path: str | Path | None, what: str) -> str | None:
    return None if path is None else path_of(path, what)
