"""Embeddings of pictures and texts by a CLIP or SigLIP model of transformers."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from cutline.encoders import DEFAULT_CLIP
from cutline.encoders.encoder import fingerprint_of
from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import one_line
from cutline.imaging import Picture
from cutline.weights import Say, choose_hardware, find_weights

if TYPE_CHECKING:
    from PIL import Image

_TYPES: Final = ("clip", "siglip")
_MAX_ASPECT: Final = 4  # the model's square crop drops the rest anyway

_T = TypeVar("_T")


class Clip:
    """Encodes with the model of a hub name or folder; the first use loads it, which blocks for seconds.

    Both methods return float32 of shape ``(n, dimensions)`` in unit vectors, so that products are cosines.
    Thread-safe; one thread computes at a time. ``device`` as for --device, the first of several is used.
    Computes in float16 on a GPU and float32 elsewhere, as scores are compared with thresholds. A batch
    that does not fit in memory is split; an item that does not fit alone raises MemoryError.

    Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021.

    Raises:
        MissingExtra: torch and transformers are not installed.
        ConfigError: from the first use: no such model, or not one that encodes pictures and texts.
    """

    def __init__(self, model: str = DEFAULT_CLIP, *, device: str = "auto", batch_size: int = 32) -> None:
        try:
            import torch
            import transformers  # noqa: F401 - only whether it is installed
        except ImportError:
            raise MissingExtra(f"the encoder {model}", "local") from None
        self.name = model
        self._torch = torch
        self._device = choose_hardware(device, "float32").devices[0]
        self._batch_size = batch_size
        self._lock = threading.RLock()
        self._loaded: _Loaded | None = None

    @property
    def max_tokens(self) -> int:
        """Tokens of the longest text that is not truncated, with start and end tokens: 77 for every CLIP."""
        return self._model().max_tokens

    @property
    def side(self) -> int:
        """Pixels on a side of the model's square input."""
        return self._model().side

    @property
    def dimensions(self) -> int:
        return self._model().dimensions

    def load(self, say: Say = lambda _: None) -> None:
        """Load the model now, rather than at the first use; ``say`` receives progress lines."""
        self._model(say)

    def decode(self, picture: Picture, *, oversampling: int = 2) -> Image.Image:
        """Decode a picture for ``pictures``, no larger than ``oversampling`` times the model's input.

        Raises:
            PictureError: it cannot be decoded.
        """
        size, side = picture.info(), oversampling * self.side
        short, long = sorted((size.width, size.height))
        return picture.image(max_side=math.ceil(side * long / max(1, short)) if short > side else 0)

    def pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        """Embed RGB pictures of any size."""
        model = self._model()

        def encode(batch: Sequence[Image.Image]) -> Any:
            cropped = [_crop_to_aspect(image) if model.crops else image for image in batch]
            inputs = model.processor(images=cropped, return_tensors="pt")
            pixels = inputs["pixel_values"].to(self._device, model.dtype)
            return model.network.get_image_features(pixel_values=pixels).pooler_output

        return self._in_batches(images, encode)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embed texts; those longer than ``max_tokens`` are truncated."""
        model = self._model()
        # Sorted by length: a batch costs as much as its longest text.
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))

        def encode(batch: Sequence[int]) -> Any:
            inputs = model.tokenizer(
                [texts[at] for at in batch],
                padding=model.padding,
                truncation=True,
                max_length=model.max_tokens,
                return_tensors="pt",
            )
            return model.network.get_text_features(**inputs.to(self._device)).pooler_output

        vectors = self._in_batches(order, encode)
        restored = np.empty_like(vectors)
        restored[order] = vectors
        return restored

    def count_tokens(self, text: str) -> int:
        """The number of tokens of ``text``, untruncated, with start and end tokens."""
        model = self._model()
        with self._lock:
            return len(model.tokenizer(text, truncation=False, verbose=False)["input_ids"])

    def _in_batches(self, items: Sequence[_T], encode: Callable[[Sequence[_T]], Any]) -> np.ndarray:
        parts = [np.empty((0, self.dimensions), np.float32)]
        for start in range(0, len(items), self._batch_size):
            parts += self._split_to_fit(items[start : start + self._batch_size], encode)
        return np.concatenate(parts)

    def _split_to_fit(self, batch: Sequence[_T], encode: Callable[[Sequence[_T]], Any]) -> list[np.ndarray]:
        try:
            with self._lock, self._torch.inference_mode():
                features = encode(batch).float()
                unit = features / features.norm(dim=-1, keepdim=True).clamp(min=1e-12)
                return [unit.cpu().numpy()]
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            if len(batch) == 1:
                raise MemoryError(f"{self.name} needs more memory than is available") from None
        middle = len(batch) // 2
        return [*self._split_to_fit(batch[:middle], encode), *self._split_to_fit(batch[middle:], encode)]

    def _model(self, say: Say = lambda _: None) -> _Loaded:
        with self._lock:
            if self._loaded is None:
                self._loaded = _Loaded(self.name, find_weights(self.name, say), self._device)
            return self._loaded


class ClipEncoder:
    """A CLIP under the name ``clip:MODEL``, with the fingerprint of its weights; raises as ``Clip``."""

    def __init__(self, model: str = DEFAULT_CLIP, *, device: str = "auto") -> None:
        self.name = f"clip:{model}"
        self._model = model
        self._clip = Clip(model, device=device)

    @property
    def dimensions(self) -> int:
        return self._clip.dimensions

    @property
    def is_english(self) -> bool:
        return self._model.startswith("openai/")

    @property
    def fingerprint(self) -> str:
        return fingerprint_of(find_weights(self._model, option="--weights").glob("*.safetensors"))

    def load(self, say: Say = lambda _: None) -> None:
        find_weights(self._model, say, option="--weights")
        self._clip.load(say)

    def texts(self, texts: Sequence[str]) -> np.ndarray:
        return self._clip.texts(texts)

    def decode(self, picture: Picture) -> Image.Image:
        return self._clip.decode(picture)

    def pictures(self, images: Sequence[Image.Image]) -> np.ndarray:
        return self._clip.pictures(images)


class _Loaded:
    """Network and processor; raises as ``Clip``."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        import torch
        import transformers

        library: Any = transformers  # not all of it has types
        library.logging.set_verbosity_error()  # it would write between cutline's own lines
        library.logging.disable_progress_bar()
        self.dtype = torch.float16 if device.startswith("cuda") else torch.float32
        try:
            config: Any = library.AutoConfig.from_pretrained(folder, local_files_only=True)
            _check_type(name, config.model_type)
            self.processor: Any = library.AutoProcessor.from_pretrained(folder, local_files_only=True)
            options = {"local_files_only": True, "use_safetensors": True, "output_loading_info": True}
            network, found = library.AutoModel.from_pretrained(folder, dtype=self.dtype, **options)
            self.network = network.eval().to(device)
        except (ConfigError, MissingExtra):
            raise
        except Exception as error:
            # Missing and damaged files raise a dozen types without a common base.
            raise ConfigError(f"{name} cannot be loaded: {one_line(error)}") from error
        missing = sorted({*found["missing_keys"], *(str(key) for key in found["mismatched_keys"])})
        if missing:  # the library would use random numbers
            raise ConfigError(f"the weights of {name} do not match its config.json: {missing[0]} is missing")
        self.tokenizer: Any = self.processor.tokenizer
        self.max_tokens = int(config.text_config.max_position_embeddings)
        # SigLIP was trained on texts padded to one length.
        self.padding: Any = "max_length" if config.model_type == "siglip" else True
        self.side = int(config.vision_config.image_size)
        self.crops = bool(getattr(self.processor.image_processor, "do_center_crop", False))
        self.dimensions = int(
            config.projection_dim if config.model_type == "clip" else config.vision_config.hidden_size
        )


def _check_type(name: str, kind: str) -> None:
    if kind not in _TYPES:
        raise ConfigError(
            f"{name} is a model of type {kind}, not a CLIP or SigLIP: choose one, such as {DEFAULT_CLIP}"
        )


def _crop_to_aspect(image: Image.Image) -> Image.Image:
    """The middle of a very long picture: scaled to the model's height, all of it would fill the memory."""
    longest = _MAX_ASPECT * min(image.size)
    width, height = (min(length, longest) for length in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    cropped = (width, height) != image.size
    return image.crop((left, top, left + width, top + height)) if cropped else image


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; on a CPU torch raises a bare RuntimeError that names its allocator."""
    by_type = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return by_type or "DefaultCPUAllocator" in str(error)
