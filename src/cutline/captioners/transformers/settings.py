"""Options of local models."""

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
SAMPLING_EXTRAS: Final = ("top_k", "min_p")
"""Sampling parameters in ``extra``, besides ``top_p``."""
GENERATION_PARAMETERS: Final = (
    Parameter(name="top_k", kind=int, least=1),
    Parameter(name="min_p", least=0, most=1),
    Parameter(name="num_beams", kind=int, least=1),
    Parameter(name="repetition_penalty", above=0),
    Parameter(name="no_repeat_ngram_size", kind=int, least=0),
)
"""Parameters of local models, besides those of all models."""
_OWN_OPTIONS: Final = {
    "max_length": "--max-tokens",
    "max_new_tokens": "--max-tokens",
    "temperature": "--temperature",
    "top_p": "--top-p",
    "do_sample": "--temperature, which samples reproducibly with --seed",
}
_UNSUPPORTED: Final = ("num_return_sequences", "return_dict_in_generate", "stop_strings")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """Generation parameters. ``max_tokens`` 0 is the family's default; ``temperature`` 0 is greedy decoding.

    ``extra`` are further values of transformers' GenerationConfig, such as ``num_beams``.
    """

    max_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    extra: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        """Raises ConfigError for what would be ignored, or would fail for every picture."""
        for name in self.extra:
            if name in _OWN_OPTIONS:
                raise ConfigError(f"--extra.{name}: use {_OWN_OPTIONS[name]}")
            if name in _UNSUPPORTED:
                raise ConfigError(f"--extra.{name} is not supported; remove it")
        known = {one.name: self.extra[one.name] for one in GENERATION_PARAMETERS if one.name in self.extra}
        parameters.check("a local model", known, GENERATION_PARAMETERS, option="--extra.")
        limits = [f"--extra.{name}" for name in SAMPLING_EXTRAS if name in self.extra]
        if self.top_p < 1:
            limits.append("--top-p")
        if limits and not self.temperature:
            raise ConfigError(f"{limits[0]} has no effect without sampling: add --temperature, such as 0.7")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Devices, dtype and batch size. ``tensor_parallel``: the number of devices that share one model."""

    device: str = "auto"
    dtype: str = "auto"
    batch_size: int | Literal["auto"] = "auto"
    quantize: Literal["4bit", "8bit"] | None = None
    tensor_parallel: int = 1
    parallel_engine: ParallelEngine = "transformers"
