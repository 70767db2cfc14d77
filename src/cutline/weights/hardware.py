"""Choice of devices and dtype for a model."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from cutline.errors import ConfigError

DTYPES: Final = ("float32", "bfloat16", "float16")
_SHORT: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """``devices`` by torch's names, one replica of the model on each; ``dtype`` is one of DTYPES."""

    devices: tuple[str, ...]
    dtype: str

    @property
    def torch_dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


def choose_hardware(device: str = "auto", dtype: str = "auto") -> Hardware:
    """Resolve ``auto``: all GPUs, and bfloat16 where the hardware supports it.

    ``device``: auto, cpu, cuda (all of them), cuda:N, mps, or several with commas; the CPU may occur more
    than once.

    Raises:
        ConfigError: unknown device or dtype; lists those available.
    """
    import torch

    available = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        available.append("mps")
    if device == "auto":
        devices = tuple(available) or ("cpu",)
    elif device == "cuda" and any(name.startswith("cuda") for name in available):
        devices = tuple(name for name in available if name.startswith("cuda"))
    else:
        devices = tuple(part.strip() for part in device.split(","))
        unknown = [name for name in devices if name not in (*available, "cpu")]
        if unknown:
            raise ConfigError(
                f"the device {unknown[0]!r} is not available: "
                f"--device can be {', '.join(('auto', 'cpu', *available))}"
            )
        gpus = [name for name in devices if name != "cpu"]
        if len(set(gpus)) < len(gpus):
            raise ConfigError(f"--device {device} names one twice")
    return Hardware(devices=devices, dtype=_dtype_for(devices, _SHORT.get(dtype, dtype)))


def choose_device(device: str = "auto") -> str:
    """The one device for a model that is not divided, the first GPU where there are several.

    Raises:
        ConfigError: as ``choose_hardware``, or several are named.
    """
    if device == "cpu":
        return device
    chosen = choose_hardware(device).devices
    if "," in device:
        raise ConfigError(f"--device {device} names several devices, and this model uses one: {chosen[0]}")
    return chosen[0]


def _dtype_for(devices: tuple[str, ...], dtype: str) -> str:
    if dtype in DTYPES:
        return dtype
    if dtype != "auto":
        raise ConfigError(f"--dtype can be auto, {', '.join(DTYPES)}, not {dtype!r}")
    return "bfloat16" if all(_has_bfloat16(name) for name in devices) else "float32"


def _has_bfloat16(device: str) -> bool:
    """Whether the hardware multiplies bfloat16; otherwise it is slower than float32."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001 - torch has no public name for it
