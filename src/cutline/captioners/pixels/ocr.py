"""The text in a picture, read by RapidOCR, whose models come inside its package."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from cutline.errors import MissingExtra

_SURE: Final = 0.85
_LONGEST: Final = 240
_WIDEST: Final = 4  # times as long as high, or as high as long


def installed() -> bool:
    return all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime"))


class Reader:
    """Reads text, one picture at a time: the engine keeps state between its stages.

    Raises:
        MissingExtra: the extra ``ocr`` is not installed.
    """

    def __init__(self) -> None:
        if not installed():
            raise MissingExtra("reading text in pictures", "ocr")
        self._lock = threading.Lock()
        self._engine: Any = None

    def load(self) -> None:
        """Load the models, which the first picture would wait for.

        The engine loads each when it first has work for it: so it is given a word to read.
        """
        if self._engine is None:
            page = Image.new("RGB", (320, 96), "white")
            ImageDraw.Draw(page).text((24, 16), "Words", "black", ImageFont.load_default(size=56))
            self.read(page)

    def read(self, image: Image.Image) -> str:
        """The lines it is sure of, from top to bottom, as one line; empty without any."""
        with self._lock:
            if self._engine is None:
                self._engine = _engine()
            found = self._engine(np.asarray(_without_extremes(image))[..., ::-1].copy())
        if found.txts is None:
            return ""
        lines = [text for text, score in zip(found.txts, found.scores, strict=True) if score >= _SURE]
        return _tidy(lines)


def _engine() -> Any:
    # Else onnxruntime reports to its makers, and keeps a number for this machine in the home folder.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    from rapidocr import RapidOCR

    return RapidOCR(params={"Global.log_level": "error", "Global.use_cls": False})


def _without_extremes(image: Image.Image) -> Image.Image:
    """A strip, with a border that makes it less of one.

    The engine enlarges the shorter side to what it can read: 940 x 2 pixels would become fifty megapixels,
    and take it a minute and seven gigabytes.
    """
    width, height = image.size
    across, down = max(0, -(-height // _WIDEST) - width), max(0, -(-width // _WIDEST) - height)
    if not (across or down):
        return image
    border = (across // 2, down // 2, -(-across // 2), -(-down // 2))
    corner: Any = image.getpixel((0, 0))
    return ImageOps.expand(image, border, fill=corner)


def _tidy(lines: list[str]) -> str:
    """One line without quotation marks of its own; specks that hold no word are left out."""
    kept = [re.sub(r"\s+", " ", line).strip().replace('"', "'") for line in lines]
    text = " ".join(line for line in kept if sum(char.isalnum() for char in line) >= 2)
    if len(text) > _LONGEST:
        text = text[:_LONGEST].rsplit(" ", 1)[0] + " …"
    return text
