"""What this machine can run: its memory, and the model that fits."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import subprocess
from importlib.util import find_spec
from typing import Final

from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.hosted.presets import PRESETS
from cutline.errors import install_line
from cutline.installation import exact

_SECONDS = 5.0  # for nvidia-smi

# Gigabytes of memory that are needed, the model, and gigabytes of the download; the best first.
_OF_OLLAMA: Final = ((12.0, "qwen2.5vl:7b", 6.0), (7.0, "qwen2.5vl:3b", 3.2), (0.0, "moondream", 1.7))
_ON_GPU: Final = (
    (22.0, "qwen3-vl:8b", 17.5),
    (12.0, "qwen3-vl:4b", 8.9),
    (6.0, "qwen3-vl:2b", 4.3),
    (0.0, "blip", 0.99),
)
_ON_CPU: Final = ((0.0, "blip", 0.99),)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What models can run on; memory in gigabytes, that of the GPU is 0 without one that torch can use."""

    memory: float
    gpu: float
    ollama: bool
    local: bool
    key: bool

    @classmethod
    def here(cls) -> Machine:
        return cls(
            memory=_memory(),
            gpu=_gpu_memory(),
            ollama=shutil.which("ollama") is not None,
            local=has_local(),
            key=find_key(PRESETS["openai"]) is not None,
        )


def options_for(machine: Machine) -> tuple[str, float]:
    """The options that choose a model for the machine, and the gigabytes that it may have to download."""
    if machine.ollama:
        _, name, size = next(row for row in _OF_OLLAMA if max(machine.memory, machine.gpu) >= row[0])
        return f"--model ollama:{name} --start --pull", size
    if machine.key and not machine.local:
        return "--model openai:gpt-4o-mini", 0.0
    _, name, size = next(row for row in (_ON_GPU if machine.gpu else _ON_CPU) if machine.gpu >= row[0])
    return f"--model {name}", size


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelAdvice:
    """A model that fits the machine: the ``options`` that choose it, and what it takes to have it."""

    options: str
    gigabytes: float
    """Of the download; 0 for a service, whose use is paid for."""
    install: str
    """The command that comes first; empty where nothing has to be installed."""


def model_advice(machine: Machine) -> ModelAdvice:
    options, size = options_for(machine)
    ready = machine.ollama or machine.local or machine.key
    return ModelAdvice(options=options, gigabytes=size, install="" if ready else exact(install_line("local")))


def has_local() -> bool:
    """Whether local models can run in this environment."""
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


def _memory() -> float:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    except (AttributeError, ValueError, OSError):  # Windows
        return 0.0


def _gpu_memory() -> float:
    """That of the largest GPU of NVIDIA, without an import of torch, which takes seconds."""
    from importlib.metadata import PackageNotFoundError, version

    program = shutil.which("nvidia-smi")
    try:
        if program is None or "+cpu" in version("torch"):
            return 0.0
    except PackageNotFoundError:
        pass
    query = [program or "", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        ran = subprocess.run(  # noqa: S603 - a fixed command
            query, capture_output=True, text=True, timeout=_SECONDS, check=True
        )
        return max(map(float, ran.stdout.split())) * 2**20 / 1e9
    return 0.0
