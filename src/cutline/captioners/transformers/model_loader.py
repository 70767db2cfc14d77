"""Load model and processor from a folder onto a device."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import one_line
from cutline.weights import Hardware

_OF_LOCAL: Final = ("num2words", "sentencepiece", "protobuf", "accelerate")  # libraries of that extra
_BLOCK: Final = 64  # quantized weights that share a scale


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """One replica: transformers' processor and model. ``chat``: it has a chat template.

    ``limit``: maximum tokens of prompt and output, None if the config has no limit.
    """

    processor: Any
    model: Any
    device: str
    chat: bool
    limit: int | None

    @property
    def tokenizer(self) -> Any:
        return self.processor.tokenizer


def read_config(folder: Path) -> dict[str, Any]:
    """The model's ``config.json``, read without heavy imports.

    Raises:
        ConfigError: it cannot be read.
    """
    path = folder / "config.json"
    try:
        config: Any = orjson.loads(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"{path} is not a model's config")
    return config


def check_installed() -> None:
    """Raises MissingExtra if torch or transformers are not installed."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        raise MissingExtra("a local model", "local")


def load(
    folder: Path, hardware: Hardware, device: str, *, quantize: str | None = None, distributed: Any = None
) -> LoadedModel:
    """Load the weights onto ``device``. Blocks, for seconds to minutes.

    ``distributed``: transformers' DistributedConfig, for a process that holds one shard of the model.
    Only safetensors are read, and no code of the model is run.

    Raises:
        ConfigError: files are missing or damaged, the architecture is unsupported, or there is not enough
            memory; names the cure.
        MissingExtra: a library it needs is not installed.
    """
    quiet_libraries()
    processor = _load_processor(folder)
    model, absent = _load_model(folder, hardware, device, quantize, distributed)
    _check_complete(folder, model, absent)
    if quantize == "4bit":
        _check_layer_sizes(model, folder, device)
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"  # generation continues at the right end
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    text = model.config.get_text_config()
    return LoadedModel(
        processor=processor,
        model=model,
        device=device,
        chat=bool(getattr(processor, "chat_template", None)),
        limit=getattr(text, "max_position_embeddings", None),
    )


def quiet_libraries() -> None:
    """Silence progress bars and warnings of transformers and the hub."""
    import transformers
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # They are meant for developers of the calling code.
    for kind in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=kind, module=r"(transformers|torch)\.")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    logging.getLogger("transformers").setLevel(logging.ERROR)


def _load_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    from cutline.captioners.transformers import video_shim

    video_shim.skip_video_processors()
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        raise _library_error(folder, error) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the processor in {folder} cannot be loaded: {one_line(error)}") from None
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise ConfigError(f"{folder} has no processor for pictures: it is not an image-text-to-text model")
    return processor


def _load_model(
    folder: Path, hardware: Hardware, device: str, quantize: str | None, distributed: Any
) -> tuple[Any, Iterable[str]]:
    """The model, and the names of missing weights."""
    import torch
    from transformers import AutoModelForImageTextToText

    options: dict[str, Any] = {"dtype": hardware.torch_dtype}
    if quantize is not None:
        options["quantization_config"] = _quantization_config(quantize, hardware)
    if distributed is not None:
        options["distributed_config"] = distributed  # which determines the device too
    elif quantize is not None or device.startswith("cuda"):
        options["device_map"] = {"": device}  # directly to the GPU, without a copy in main memory
    placed = len(options) > 1
    options |= {"local_files_only": True, "trust_remote_code": False, "use_safetensors": True}
    automatic: Any = AutoModelForImageTextToText
    try:
        model, found = automatic.from_pretrained(folder, output_loading_info=True, **options)
        # A truncated output must not look as if it had ended. What is None in the config given to
        # ``generate`` is taken from here, so it is removed here.
        model.generation_config.forced_eos_token_id = None
        return model.eval() if placed else model.eval().to(device), found["missing_keys"]
    except ImportError as error:
        raise _library_error(folder, error) from None
    except (MemoryError, torch.OutOfMemoryError):
        raise ConfigError(_memory_error(folder, device)) from None
    except RuntimeError as error:
        # torch has no exception type for exhausted main memory, only this message.
        if "allocate" in str(error):
            raise ConfigError(_memory_error(folder, device)) from None
        raise ConfigError(f"the weights in {folder} do not fit the model: {one_line(error)}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(_load_error(folder, error)) from None
    except Exception as error:  # noqa: BLE001 - safetensors' errors have no common base with these
        raise ConfigError(
            f"the weights in {folder} are damaged: {one_line(error)}; copy them again"
        ) from None


def _quantization_config(quantize: str, hardware: Hardware) -> Any:
    """Configuration of bitsandbytes for ``4bit`` (NF4) or ``8bit`` weights.

    Source: Dettmers et al. 2023, "QLoRA", section 3.
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


def _check_layer_sizes(model: Any, folder: Path, device: str) -> None:
    """Raises ConfigError for layers that a CPU cannot compute in 4 bits: it needs whole blocks."""
    layers = [module for module in model.modules() if type(module).__name__ == "Linear4bit"]
    odd = [layer for layer in layers if layer.in_features % _BLOCK or layer.out_features % _BLOCK]
    if odd and device == "cpu":
        raise ConfigError(
            f"a CPU cannot compute --quantize 4bit for {folder.name}: the width of {len(odd)} of its "
            f"{len(layers)} layers is not a multiple of {_BLOCK}; use --quantize 8bit"
        )


def _check_complete(folder: Path, model: Any, missing: Iterable[str]) -> None:
    """Raises ConfigError for missing weights, which the library would initialise at random."""
    weights = dict(model.named_parameters())
    absent = sorted(name for name in missing if name in weights)
    if absent:
        raise ConfigError(
            f"the weights in {folder} lack {len(absent)} of the {len(weights)} that the model has, such as "
            f"{absent[0]}: copy the folder again, or train and save the whole model"
        )


def _load_error(folder: Path, error: Exception) -> str:
    if not any(folder.glob("*.safetensors")):
        return f"{folder} has no weights as *.safetensors, the only supported format"
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and error.errno is None:
        return f"files of the model in {folder} are missing or damaged: {one_line(error)}"
    kind = read_config(folder).get("model_type", "unknown")
    if "Unrecognized configuration class" in str(error):  # followed by a list of all classes
        return f"{folder} is a model of type {kind}, which does not caption pictures: choose another model"
    return f"{folder} cannot be loaded as a model that captions (its type is {kind}): {one_line(error)}"


def _memory_error(folder: Path, device: str) -> str:
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return (
        f"{device} has too little memory for {folder.name} ({size / 1e9:.1f} GB of weights): "
        "try --quantize 4bit, a smaller model, another --device, or --tensor-parallel over several"
    )


def _library_error(folder: Path, error: ImportError) -> ConfigError:
    text = one_line(error)
    for name in _OF_LOCAL:
        if name in text.lower():
            return MissingExtra(f"{folder.name} needs {name}, which", "local")
    return ConfigError(f"{folder.name} needs a library that is not installed: {text}")
