"""Quantized weights by bitsandbytes."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any, Final

from cutline.errors import ConfigError, MissingExtra
from cutline.weights import Hardware

_BLOCK: Final = 64  # weights that share a scale


def quantization_config(quantize: str, hardware: Hardware) -> Any:
    """Transformers' configuration for ``4bit`` (NF4) or ``8bit`` weights.

    Source: Dettmers et al. 2023, "QLoRA", section 3.

    Raises:
        MissingExtra: the extra ``quantize`` is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra(f"--quantize {quantize}", "quantize")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it repeats a warning for every layer
    from transformers import BitsAndBytesConfig

    if quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=hardware.torch_dtype
    )


def check_layer_sizes(model: Any, folder: Path, device: str) -> None:
    """Raises ConfigError for layers that a CPU cannot compute in 4 bits: it needs whole blocks."""
    if device != "cpu":
        return
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    odd = [layer for layer in layers if layer.in_features % _BLOCK or layer.out_features % _BLOCK]
    if odd:
        raise ConfigError(
            f"--quantize 4bit cannot be computed by a CPU for {folder.name}: {len(odd)} of its {len(layers)} "
            f"layers are no multiple of {_BLOCK} wide; use --quantize 8bit"
        )
