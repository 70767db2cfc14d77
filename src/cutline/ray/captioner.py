"""A captioner for datasets of Ray Data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from cutline.call_options import LoadOptions, PromptInput
from cutline.errors import ConfigError
from cutline.loaded_model import load
from cutline.results import CaptionResult


class Captioner:
    """Adds captions to the rows of a Ray Dataset: pass the class to ``Dataset.map_batches``.

    ``model``, ``prompt``, ``api_key`` and ``options`` are as for ``cutline.load``; ``column`` names the
    pictures: paths, URLs, bytes, or arrays of shape (height, width) or (height, width, 3) as
    ``ray.data.read_images`` gives them. Each worker of the dataset loads the model once.
    ``max_concurrent_requests`` is the limit of each worker.

    A picture without a caption keeps its row, with the reason in ``kind``.

    Raises:
        ConfigError: the model cannot be loaded, or there is no such column.
        RunStopped: the model became unusable, so no row would get a caption.
    """

    def __init__(
        self,
        model: str = "pixels",
        *,
        column: str = "image",
        prompt: PromptInput = (),
        api_key: str | None = None,
        **options: Unpack[LoadOptions],
    ) -> None:
        self._model = load(model, prompt=prompt, api_key=api_key, **options)
        self._column = column

    def __call__(self, batch: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """The batch with four more columns.

        ``caption`` is empty without one, ``outcome`` is caption, failure or skip, ``kind`` is the kind of
        failure, and ``tokens`` is the number of tokens used.
        """
        if self._column not in batch:
            known = ", ".join(batch)
            raise ConfigError(f"the dataset has no column {self._column!r}; it has {known}: give column=…")
        results = list(self._model.map(_pictures(batch[self._column])))
        tokens = [result.prompt_tokens + result.completion_tokens for result in results]
        return {
            **batch,
            "caption": _texts([result.caption or "" for result in results]),
            "outcome": _texts([_outcome(result) for result in results]),
            "kind": _texts([result.kind or "" for result in results]),
            "tokens": np.asarray(tokens, dtype=np.int64),
        }


def _texts(values: list[str]) -> NDArray[Any]:
    """As objects, since in an array of strings each takes the memory of the longest; of texts without any."""
    return np.asarray(values, dtype=object if values else np.str_)


def _outcome(result: CaptionResult) -> str:
    if result.kind is None:
        return "caption"
    return "skip" if result.kind == "skipped" else "failure"


def _pictures(values: Iterable[Any]) -> Iterable[Any]:
    """A cell as ``load`` takes it: an array of pixels becomes a picture, other values stay unchanged."""
    for value in values:
        if isinstance(value, np.ndarray):
            from PIL import Image

            try:
                yield Image.fromarray(value)
            except (TypeError, ValueError):
                yield value  # whose row says what it is
        else:
            yield str(value) if isinstance(value, np.str_) else value
