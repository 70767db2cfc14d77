"""Choosing words at random, so that a picture's words depend on the seed and on the picture alone."""

from __future__ import annotations

from typing import Any

from cutline.captioners.transformers.settings import Generation


def sampling_for(generation: Generation, seeds: list[int], device: str) -> Any:
    """Logits processors for one batch; None where the likeliest word is taken.

    Gumbel noise is added to the scores, after which the highest one is an exact sample (Gumbel 1954;
    Maddison et al. 2014, "A* Sampling"). Each row has a generator of its own, so that the
    other pictures in the batch change nothing, as they would with one generator for all.
    """
    if not generation.temperature:
        return None
    import torch
    from transformers import (
        LogitsProcessor,
        LogitsProcessorList,
        MinPLogitsWarper,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    rows = [
        torch.Generator().manual_seed((generation.seed * 0x9E3779B97F4A7C15 + seed) % 2**63) for seed in seeds
    ]

    class GumbelNoise(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:  # noqa: ARG002 - transformers calls it so
            noise = torch.stack([torch.rand(scores.shape[-1], generator=row) for row in rows])
            gumbel = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
            return scores.float() + gumbel.to(device)

    processors = LogitsProcessorList([TemperatureLogitsWarper(generation.temperature)])
    # In the order that ``generate`` has them in.
    if "top_k" in generation.extra:
        processors.append(TopKLogitsWarper(generation.extra["top_k"]))
    if generation.top_p < 1:
        processors.append(TopPLogitsWarper(generation.top_p))
    if "min_p" in generation.extra:
        processors.append(MinPLogitsWarper(generation.extra["min_p"]))
    processors.append(GumbelNoise())
    return processors
