"""Which devices a model runs on, and in which numbers."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from cutline.errors import ConfigError

DTYPES: Final = ("float32", "bfloat16", "float16")
_SHORT: Final = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """``devices`` as torch names them, one replica of the model on each; ``dtype`` is a name of DTYPES."""

    devices: tuple[str, ...]
    dtype: str

    @property
    def torch_dtype(self) -> Any:
        import torch

        return getattr(torch, self.dtype)


def choose_hardware(device: str = "auto", dtype: str = "auto") -> Hardware:
    """The hardware asked for; ``auto`` takes every GPU there is, and bfloat16 where it is computed fast.

    ``device``: auto, cpu, cuda (all of them), cuda:N, mps, or several with commas; the CPU can be named
    more than once.

    Raises:
        ConfigError: there is no such device here, or no such dtype; lists what there is.
    """
    import torch

    there = [f"cuda:{n}" for n in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        there.append("mps")
    if device == "auto":
        devices = tuple(there) or ("cpu",)
    elif device == "cuda" and any(name.startswith("cuda") for name in there):
        devices = tuple(name for name in there if name.startswith("cuda"))
    else:
        devices = tuple(part.strip() for part in device.split(","))
        unknown = [name for name in devices if name not in (*there, "cpu")]
        if unknown:
            raise ConfigError(
                f"there is no device {unknown[0]!r} here: "
                f"--device can be {', '.join(('auto', 'cpu', *there))}"
            )
        once = [name for name in devices if name != "cpu"]  # which holds several replicas, if asked to
        if len(set(once)) < len(once):
            raise ConfigError(f"--device {device} names one twice")
    return Hardware(devices=devices, dtype=_dtype_for(devices, _SHORT.get(dtype, dtype)))


def _dtype_for(devices: tuple[str, ...], dtype: str) -> str:
    if dtype in DTYPES:
        return dtype
    if dtype != "auto":
        raise ConfigError(f"--dtype can be auto, {', '.join(DTYPES)}, not {dtype!r}")
    return "bfloat16" if all(_has_bfloat16(name) for name in devices) else "float32"


def _has_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 in hardware; elsewhere it is slower than float32."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device == "mps":
        return False
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())  # noqa: SLF001
