"""Probabilities of an image classifier's labels."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping
from typing import Any

from cutline.errors import ConfigError, MissingExtra
from cutline.formatting import did_you_mean, one_line
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, MeasureOptions, Say, silent
from cutline.measures.weights_version import weights_version
from cutline.weights import choose_hardware, find_weights


class ClassProbability(Measure):
    """The probability of one label of an image classifier of transformers; all labels cost one pass.

    Raises:
        MissingExtra: the extra ``local`` is not installed.
        ConfigError: no classifier is named; from ``open``: it cannot be loaded, or has no such label.
    """

    name = "class.LABEL"
    meaning = "probability of a label of the classifier that --classifier names"
    is_slow = True

    def __init__(self, options: MeasureOptions, label: str) -> None:
        super().__init__(options)
        if options.classifier is None:
            raise ConfigError(
                f"class.{label} needs a classifier: --classifier OWNER/NAME of the hub, or a folder"
            )
        self.name = f"class.{label}"
        self.version = f"1 {weights_version(options.classifier)}"
        self._label = label
        self._classifier = _classifier(options.classifier, options.device)

    def open(self, say: Say = silent) -> None:
        self._classifier.load(say)
        self._label = self._classifier.label(self._label)

    def measure(self, picture: DecodedPicture) -> float:
        found = picture.once(self._classifier, lambda: self._classifier.probabilities(picture))
        return found[self._label]


class _Classifier:
    """One model, loaded at first use; one thread computes at a time."""

    def __init__(self, name: str, device: str) -> None:
        try:
            import torch
            import transformers  # noqa: F401 - only whether it is installed
        except ImportError:
            raise MissingExtra(f"the classifier {name}", "local") from None
        self.name = name
        self._torch = torch
        self._device = choose_hardware(device, "float32").devices[0]
        self._lock = threading.RLock()
        self._loaded: tuple[Any, Any] | None = None

    def load(self, say: Say = silent) -> tuple[Any, Any]:
        """Processor and network."""
        with self._lock:
            if self._loaded is None:
                folder = find_weights(self.name, say, option="--classifier")
                import transformers

                library: Any = transformers  # not all of it has types
                library.logging.set_verbosity_error()  # it would write between cutline's own lines
                library.logging.disable_progress_bar()
                options = {"local_files_only": True}
                try:
                    processor = library.AutoImageProcessor.from_pretrained(folder, **options)
                    network, found = library.AutoModelForImageClassification.from_pretrained(
                        folder, use_safetensors=True, output_loading_info=True, **options
                    )
                except Exception as error:  # missing and damaged files raise a dozen types
                    message = f"--classifier {self.name} is not an image classifier"
                    raise ConfigError(f"{message} that can be loaded: {one_line(error)}") from error
                if missing := sorted(map(str, {*found["missing_keys"], *found["mismatched_keys"]})):
                    raise ConfigError(
                        f"--classifier {self.name} is not an image classifier: its weights lack {missing[0]}"
                    )
                self._loaded = processor, network.eval().to(self._device)
            return self._loaded

    @functools.cached_property
    def labels(self) -> Mapping[int, str]:
        names: Mapping[int, str] = self.load()[1].config.id2label
        return names

    def label(self, text: str) -> str:
        """The label in the model's spelling; ConfigError if there is none."""
        known = list(self.labels.values())
        found = next((name for name in known if name.casefold() == text.casefold()), None)
        if found is None:
            shown = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
            hint = did_you_mean(text, known)
            raise ConfigError(f"--classifier {self.name} has no label {text!r}{hint}; it has {shown}")
        return found

    def probabilities(self, picture: DecodedPicture) -> Mapping[str, float]:
        """The probability of every label."""
        processor, network = self.load()
        with self._lock, self._torch.inference_mode():
            inputs = processor(images=[picture.image], return_tensors="pt").to(self._device)
            found = network(**inputs).logits[0].float().softmax(-1).tolist()
        return {self.labels[number]: value for number, value in enumerate(found)}


@functools.lru_cache(maxsize=2)
def _classifier(name: str, device: str) -> _Classifier:
    return _Classifier(name, device)
