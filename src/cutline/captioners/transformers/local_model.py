"""From a family, a name and options to the captioner that runs the model in this process."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.settings import (
    DEFAULT_MAX_SIDE,
    DEFAULT_TIMEOUT,
    Generation,
    ParallelEngine,
    Placing,
)

if TYPE_CHECKING:
    from cutline.captioners.transformers.captioner import TransformersCaptioner


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LocalModel(Family):
    """A family as the registry has it: called with the name of one of its models, it is a captioner."""

    def __call__(
        self,
        name: str = "",
        /,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        top_p: float | None = None,
        seed: int | None = None,
        extra: Mapping[str, Any] | None = None,
        max_side: int = DEFAULT_MAX_SIDE,
        device: str = "auto",
        dtype: str = "auto",
        batch_size: int | Literal["auto"] = "auto",
        quantize: Literal["4bit", "8bit"] | None = None,
        tensor_parallel: int = 1,
        parallel_engine: ParallelEngine = "transformers",
        timeout: float = DEFAULT_TIMEOUT,
    ) -> TransformersCaptioner:
        """The captioner for one of ``sizes``, a folder, or a repository of this family.

        Raises:
            ConfigError: the name is none of these, or an option cannot be used.
            MissingExtra: the extra ``local`` is not installed.
        """
        from cutline.captioners.transformers.captioner import TransformersCaptioner

        generation = Generation(
            max_tokens=max_tokens or 0,
            temperature=temperature or 0.0,
            top_p=1.0 if top_p is None else top_p,
            seed=seed or 0,
            extra=dict(extra or {}),
        )
        generation.check()
        placing = Placing(
            device=device,
            dtype=dtype,
            batch_size=batch_size,
            quantize=quantize,
            tensor_parallel=tensor_parallel,
            parallel_engine=parallel_engine,
        )
        label = f"{self.name}:{name}" if name else self.name
        return TransformersCaptioner(
            self,
            self.repository(name),
            label=label,
            generation=generation,
            placing=placing,
            max_side=max_side,
            timeout=timeout,
        )
