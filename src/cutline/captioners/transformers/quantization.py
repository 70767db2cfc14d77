"""Smaller weights, by bitsandbytes."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import Any, Final

from cutline.errors import ConfigError, MissingExtra
from cutline.weights import Hardware

_BLOCK: Final = 64  # numbers that share a scale


def config_for(quantize: str, hardware: Hardware) -> Any:
    """What transformers is told about ``4bit`` or ``8bit`` weights.

    4-bit numbers are NF4. Source: Dettmers et al. 2023, "QLoRA", section 3.

    Raises:
        MissingExtra: the extra ``quantize`` is not installed.
    """
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingExtra(f"--quantize {quantize}", "quantize")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says the same for every layer
    from transformers import BitsAndBytesConfig

    if quantize == "8bit":
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=hardware.torch_dtype
    )


def check_layers(model: Any, folder: Path, device: str) -> None:
    """Refuse what would fail at the first picture: on a CPU, 4-bit layers are computed in whole blocks.

    Raises:
        ConfigError: layers have another size.
    """
    if device != "cpu":
        return
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    odd = [layer for layer in layers if layer.in_features % _BLOCK or layer.out_features % _BLOCK]
    if odd:
        raise ConfigError(
            f"--quantize 4bit cannot be computed by a CPU for {folder.name}: {len(odd)} of its {len(layers)} "
            f"layers are no multiple of {_BLOCK} wide; use --quantize 8bit"
        )
