"""Load one shard of a model in a worker process."""

from __future__ import annotations

import dataclasses
import datetime as dt
import importlib.util
import os
from pathlib import Path
from typing import Any, Final

from cutline.captioners.transformers import model_loader
from cutline.captioners.transformers.settings import ParallelEngine
from cutline.errors import ConfigError, MissingExtra
from cutline.weights import Hardware

# Loading a large model takes some processes much longer than others.
_JOIN_TIMEOUT: Final = dt.timedelta(hours=2)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ShardSpec:
    """One of ``count`` shards of a model; ``store`` is the rendezvous file of the processes."""

    folder: Path
    device: str
    dtype: str
    rank: int
    count: int
    engine: ParallelEngine
    store: str


def load_shard(part: ShardSpec) -> model_loader.LoadedModel:
    """Load this process's shard of the weights; all processes must do so at the same time.

    Raises:
        ConfigError, MissingExtra: as ``model_loader.load``.
    """
    _join_group(part)
    hardware = Hardware(devices=(part.device,), dtype=part.dtype)
    if part.engine == "deepspeed":
        return _by_deepspeed(part, hardware)
    from transformers.distributed.configuration_utils import DistributedConfig

    plan = DistributedConfig(tp_size=part.count, tp_plan="auto")
    return model_loader.load(part.folder, hardware, part.device, distributed=plan)


def check_divisible(folder: Path, count: int, engine: ParallelEngine) -> None:
    """Check before any process is started that a model can be divided.

    Raises:
        ConfigError: there is no plan for such a model, or its heads cannot be divided by ``count``.
    """
    from transformers import AutoConfig

    if engine == "deepspeed" and importlib.util.find_spec("deepspeed") is None:
        raise MissingExtra("--parallel-engine deepspeed", "deepspeed")
    model_loader.quiet_libraries()
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return  # loading reports the error
    text = config.get_text_config()
    plan = getattr(text, "base_model_tp_plan", None) or {}
    # transformers 5.24 has plans for Qwen3-VL and others that divide the table of embeddings alone.
    if engine == "transformers" and not any(name.startswith("layers.") for name in plan):
        raise ConfigError(
            f"transformers has no plan for dividing {config.model_type} over several devices: remove "
            "--tensor-parallel, or try --parallel-engine deepspeed"
        )
    for name in ("num_attention_heads", "num_key_value_heads"):
        heads = getattr(text, name, None)
        if isinstance(heads, int) and heads % count:
            what = "heads" if name == "num_attention_heads" else "key-value heads"
            raise ConfigError(
                f"the {heads} {what} of {folder.name} cannot be divided by --tensor-parallel {count}"
            )


def _join_group(part: ShardSpec) -> None:
    """Join the other processes through a file, so that no port is opened."""
    import torch
    from torch import distributed

    if part.device != "cpu":
        torch.cuda.set_device(part.device)
    distributed.init_process_group(
        "gloo" if part.device == "cpu" else "nccl",
        init_method=Path(part.store).as_uri(),
        rank=part.rank,
        world_size=part.count,
        timeout=_JOIN_TIMEOUT,
        device_id=None if part.device == "cpu" else torch.device(part.device),
    )


def _by_deepspeed(part: ShardSpec, hardware: Hardware) -> model_loader.LoadedModel:
    """Source: DeepSpeed, "Automatic Tensor Parallelism for Hugging Face Models".

    Only the language model is divided: it divides the layers of vision towers wrongly (those of
    Qwen2-VL, for one, which keep query, key and value in one matrix).
    """
    os.environ["DS_ACCELERATOR"] = "cpu" if part.device == "cpu" else "cuda"
    import deepspeed

    if part.device == "cpu":
        # It would compile its own all-reduce kernel, for minutes; gloo has one.
        getattr(deepspeed.ops, "__compatible_ops__", {})["deepspeed_shm_comm"] = False
    loaded = model_loader.load(part.folder, hardware, "cpu")
    owner, name = _language_model(loaded.model)
    engine = deepspeed.init_inference(
        getattr(owner, name),
        tensor_parallel={"tp_size": part.count},
        dtype=hardware.torch_dtype,
        replace_with_kernel_inject=False,
    )
    setattr(owner, name, engine.module)
    loaded.model.to(part.device)
    return dataclasses.replace(loaded, device=part.device)


def _language_model(model: Any) -> tuple[Any, str]:
    """The parent module and the attribute name of the language model."""
    inner = getattr(model, "model", model)
    for name in ("language_model", "text_model"):
        if hasattr(inner, name):
            return inner, name
    raise ConfigError(
        f"DeepSpeed finds no language model in {type(model).__name__}: remove --tensor-parallel"
    )
