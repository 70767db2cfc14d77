"""What can be chosen about a local model."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from cutline.imaging import Limits

DEFAULT_MAX_SIDE: Final = Limits().max_side
DEFAULT_TIMEOUT: Final = 300.0  # seconds
ParallelEngine = Literal["transformers", "deepspeed"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """How words are chosen. ``max_tokens`` 0 leaves it to the family; ``temperature`` 0 takes the
    likeliest word each time.

    ``extra`` are further values of transformers' GenerationConfig, such as ``num_beams``.
    """

    max_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """Where the model is, in which numbers, and how many pictures it is given at once.

    ``tensor_parallel``: how many devices share one model, which ``parallel_engine`` divides.
    """

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | Literal["auto"] = "auto"
    quantize: Literal["4bit", "8bit"] | None = None
    tensor_parallel: int = 1
    parallel_engine: ParallelEngine = "transformers"
