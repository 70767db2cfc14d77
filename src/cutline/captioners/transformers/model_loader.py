"""Model and processor from a folder of weights, on a device, ready to be asked."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.captioners.transformers import quantization
from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import one_line
from cutline.weights import Hardware

_EXTRA_OF: Final = {
    "num2words": "local",
    "sentencepiece": "local",
    "protobuf": "local",
    "accelerate": "local",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """One replica: transformers' processor and model. ``chat``: it is asked by its chat template.

    ``limit``: the most tokens of prompt and answer together, None where the config does not say.
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
    """The model's ``config.json``, before anything heavy is imported.

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
        raise ConfigError(f"{path} is no model's config")
    return config


def check_installed() -> None:
    """Raises MissingExtra where torch or transformers are not there."""
    if any(importlib.util.find_spec(name) is None for name in ("torch", "transformers")):
        raise MissingExtra("a local model", "local")


def load(
    folder: Path, hardware: Hardware, device: str, *, quantize: str | None = None, spread: Any = None
) -> Loaded:
    """Read the weights into ``device``. Blocks, for seconds to minutes.

    ``spread``: transformers' DistributedConfig, where this process gets a part of the model only.
    Only safetensors are read, and no code of the model's own is run.

    Raises:
        ConfigError: files are missing or damaged, the architecture is none that captions, or there is
            not enough memory; names the cure.
        MissingExtra: a library it needs is not installed.
    """
    quiet_libraries()
    processor = _load_processor(folder)
    model, absent = _load_model(folder, hardware, device, quantize, spread)
    _check_whole(folder, model, absent)
    if quantize is not None:
        quantization.check_layers(model, folder, device)
    tokenizer = processor.tokenizer
    tokenizer.padding_side = "left"  # generation goes on at the right end
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    text = model.config.get_text_config()
    return Loaded(
        processor=processor,
        model=model,
        device=device,
        chat=bool(getattr(processor, "chat_template", None)),
        limit=getattr(text, "max_position_embeddings", None),
    )


def quiet_libraries() -> None:
    """Keep transformers' and the hub's own bars and remarks from the terminal; ours say what matters."""
    import transformers
    from huggingface_hub.utils.tqdm import disable_progress_bars

    # They are for whoever writes the libraries' callers, and would stand among what a user is told.
    for kind in (FutureWarning, DeprecationWarning):
        warnings.filterwarnings("ignore", category=kind, module=r"(transformers|torch)\.")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    disable_progress_bars()
    logging.getLogger("transformers").setLevel(logging.ERROR)


def _load_processor(folder: Path) -> Any:
    from transformers import AutoProcessor

    from cutline.captioners.transformers import video_shim

    video_shim.make_it_work()
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        raise _missing_library(folder, error) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"the processor in {folder} cannot be loaded: {one_line(error)}") from None
    if not hasattr(processor, "tokenizer") or not hasattr(processor, "image_processor"):
        raise ConfigError(f"{folder} has no processor for pictures: it is no image-text-to-text model")
    return processor


def _load_model(
    folder: Path, hardware: Hardware, device: str, quantize: str | None, spread: Any
) -> tuple[Any, Iterable[str]]:
    """The model, and the names of what its files lack."""
    import torch
    from transformers import AutoModelForImageTextToText

    options: dict[str, Any] = {"dtype": hardware.torch_dtype}
    if quantize is not None:
        options |= {
            "quantization_config": quantization.config_for(quantize, hardware),
            "device_map": {"": device},
        }
    elif spread is not None:
        options["distributed_config"] = spread  # which says where it goes, too
    elif device.startswith("cuda"):
        options["device_map"] = {"": device}  # straight to the GPU, without a copy in main memory
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            **options,
        )
        model, found = loaded
        # An answer that is cut off must not look as if it had ended. What is None in the settings given to
        # ``generate`` is filled in from these, so it is taken out here.
        model.generation_config.forced_eos_token_id = None
        return model.eval() if len(options) > 1 else model.eval().to(device), found["missing_keys"]
    except ImportError as error:
        raise _missing_library(folder, error) from None
    except (MemoryError, torch.OutOfMemoryError):
        raise ConfigError(_no_memory(folder, device)) from None
    except RuntimeError as error:
        # torch has no type of its own for main memory that is used up, only this text.
        if "allocate" in str(error):
            raise ConfigError(_no_memory(folder, device)) from None
        raise ConfigError(f"the weights in {folder} do not fit the model: {one_line(error)}") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(_unloadable(folder, error)) from None
    except Exception as error:  # noqa: BLE001 - safetensors' errors have a root of their own
        raise ConfigError(f"the weights in {folder} are damaged: {one_line(error)}; copy them anew") from None


def _check_whole(folder: Path, model: Any, missing: Iterable[str]) -> None:
    """Refuse weights that the library would make up, after which every word is chance.

    Raises:
        ConfigError: names one of them.
    """
    weights = dict(model.named_parameters())
    absent = sorted(name for name in missing if name in weights)
    if absent:
        raise ConfigError(
            f"the weights in {folder} lack {len(absent)} of the {len(weights)} that the model has, such as "
            f"{absent[0]}: copy the folder anew, or train and save the whole model"
        )


def _unloadable(folder: Path, error: Exception) -> str:
    if not any(folder.glob("*.safetensors")):
        return f"{folder} holds no weights as *.safetensors, and no other kind is opened"
    if isinstance(error, OSError) and not isinstance(error, FileNotFoundError) and error.errno is None:
        return f"files of the model in {folder} are missing or damaged: {one_line(error)}"
    kind = read_config(folder).get("model_type", "unknown")
    if "Unrecognized configuration class" in str(error):  # behind which it lists all that there are
        return f"{folder} is a model of type {kind}, which writes nothing about pictures: name another model"
    return f"{folder} cannot be loaded as a model that captions (its type is {kind}): {one_line(error)}"


def _no_memory(folder: Path, device: str) -> str:
    size = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    return (
        f"{device} has too little memory for {folder.name} ({size / 1e9:.1f} GB of weights): "
        "try --quantize 4bit, a smaller model, another --device, or --tensor-parallel over several"
    )


def _missing_library(folder: Path, error: ImportError) -> ConfigError:
    text = one_line(error)
    for name, extra in _EXTRA_OF.items():
        if name in text.lower():
            return MissingExtra(f"{folder.name} needs {name}, which", extra)
    return ConfigError(f"{folder.name} needs a library that is not installed: {text}")
