"""What can be chosen about a local model."""

from __future__ import annotations

import dataclasses
from typing import Any, Final, Literal

from cutline import parameters
from cutline.errors import ConfigError
from cutline.imaging import Limits
from cutline.parameters import Parameter

DEFAULT_MAX_SIDE: Final = Limits().max_side
DEFAULT_TIMEOUT: Final = 300.0  # seconds
ParallelEngine = Literal["transformers", "deepspeed"]
DRAWING: Final = ("top_k", "min_p")
"""What limits the words that are drawn, besides ``top_p``."""
GENERATION: Final = (
    Parameter(name="top_k", kind=int, least=1),
    Parameter(name="min_p", least=0, most=1),
    Parameter(name="num_beams", kind=int, least=1),
    Parameter(name="repetition_penalty", above=0),
    Parameter(name="no_repeat_ngram_size", kind=int, least=0),
)
"""What a model in this process takes, besides what all models do."""
_OPTIONS: Final = {
    "max_length": "--max-tokens",
    "max_new_tokens": "--max-tokens",
    "temperature": "--temperature",
    "top_p": "--top-p",
    "do_sample": "--temperature, which draws so that a seed gives the same words again",
}
_OTHER_ANSWERS: Final = ("num_return_sequences", "return_dict_in_generate", "stop_strings")


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

    def check(self) -> None:
        """Raises ConfigError for what would be ignored, or would fail at every picture."""
        for name in self.extra:
            if name in _OPTIONS:
                raise ConfigError(f"--extra.{name}: say {_OPTIONS[name]}")
            if name in _OTHER_ANSWERS:
                raise ConfigError(f"--extra.{name} would change the form of the answers: leave it out")
        known = {one.name: self.extra[one.name] for one in GENERATION if one.name in self.extra}
        parameters.check("a local model", known, GENERATION, option="--extra.")
        limits = [f"--extra.{name}" for name in DRAWING if name in self.extra]
        if self.top_p < 1:
            limits.append("--top-p")
        if limits and not self.temperature:
            raise ConfigError(
                f"{limits[0]} does nothing where the likeliest word is taken: add --temperature, such as 0.7"
            )


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
