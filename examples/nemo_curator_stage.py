"""A stage for NeMo Curator that captions the pictures of each ImageBatch.

    pipeline.add_stage(CaptionStage(model="openai:gpt-4o-mini", options={"max_concurrent_requests": 32}))

Each picture gets ``caption``, ``caption_outcome`` (caption, failure or skip), ``caption_kind`` of its failure
and ``caption_tokens`` in its ``metadata``; one that gets no caption stays in its batch. The encoded bytes
are used where the reader kept them, then the file, then the pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from nemo_curator.stages.base import ProcessingStage
from nemo_curator.stages.resources import Resources
from nemo_curator.tasks import ImageBatch

import cutline.ray


@dataclass
class CaptionStage(ProcessingStage[ImageBatch, ImageBatch]):
    """``model`` and ``options`` are those of ``cutline.load``; ``gpus`` are those of each worker.

    Requests at once, ``max_concurrent_requests`` among the options, are those of each worker too.
    """

    model: str = "pixels"
    options: dict[str, Any] = field(default_factory=dict)
    gpus: float = 0.0
    name: str = "cutline_caption"

    def __post_init__(self) -> None:
        self.resources = Resources(cpus=1.0, gpus=self.gpus)

    def inputs(self) -> tuple[list[str], list[str]]:
        return ["data"], []

    def outputs(self) -> tuple[list[str], list[str]]:
        return ["data"], []

    def setup(self, worker_metadata: Any = None) -> None:  # noqa: ARG002 - of the interface
        """Load the model, once in each worker."""
        self._captioner = cutline.ray.Captioner(self.model, **self.options)

    def process(self, task: ImageBatch) -> ImageBatch:
        rows = self._captioner({"image": [_picture(image) for image in task.data]})
        columns = (rows[name].tolist() for name in ("caption", "outcome", "kind", "tokens"))
        for image, caption, outcome, kind, tokens in zip(task.data, *columns, strict=True):
            image.metadata |= {
                "caption": caption,
                "caption_outcome": outcome,
                "caption_kind": kind,
                "caption_tokens": tokens,
            }
        return task


def _picture(image: Any) -> Any:
    """What an ImageObject has of its picture; readers fill different fields."""
    if getattr(image, "image_bytes", None) is not None:
        return image.image_bytes
    return image.image_path or image.image_data
