"""Text recognition by RapidOCR, whose models are part of its package."""

from __future__ import annotations

import importlib.util
import os
import re
import threading
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from cutline.errors import MissingExtra

_MIN_CONFIDENCE: Final = 0.85
_MAX_QUOTED: Final = 240  # characters
_MAX_ASPECT: Final = 4


class TextReader:
    """Reads text, one picture at a time: the engine keeps state between its stages.

    Raises:
        MissingExtra: the extra ``ocr`` is not installed.
    """

    def __init__(self) -> None:
        if not all(importlib.util.find_spec(name) for name in ("rapidocr", "onnxruntime")):
            raise MissingExtra("reading text in pictures", "ocr")
        self._lock = threading.Lock()
        self._engine: Any = None

    def load(self) -> None:
        """Load the models. The engine loads each on first use, so this recognises a picture of one word."""
        if self._engine is None:
            page = Image.new("RGB", (320, 96), "white")
            ImageDraw.Draw(page).text((24, 16), "Words", "black", ImageFont.load_default(size=56))
            self.read(page)

    def read(self, image: Image.Image) -> list[str]:
        """The lines recognised with confidence, from top to bottom."""
        return [text for text, _ in self.read_places(image)]

    def read_places(self, image: Image.Image) -> list[tuple[str, float]]:
        """As ``read``, each line with the share of the picture's area that it covers."""
        with self._lock:
            if self._engine is None:
                # Otherwise onnxruntime reports usage to its makers, and keeps an id in the home folder.
                os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
                from rapidocr import RapidOCR

                self._engine = RapidOCR(params={"Global.log_level": "error", "Global.use_cls": False})
            found = self._engine(np.asarray(_limit_aspect(image))[..., ::-1].copy())
        if found.txts is None:
            return []
        lines = []
        area = image.width * image.height
        for text, score, corners in zip(found.txts, found.scores, found.boxes, strict=True):
            line = re.sub(r"\s+", " ", text).strip()
            if score >= _MIN_CONFIDENCE and sum(char.isalnum() for char in line) >= 2:  # the rest is specks
                lines.append((line, _area(corners) / area))
        return lines


def _area(corners: Any) -> float:
    """The area of a polygon, by Gauss's formula."""
    x, y = np.asarray(corners, dtype=np.float64).T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def one_line(lines: list[str]) -> str:
    """The lines joined for a quotation: without double quotation marks, and cut at 240 characters."""
    text = " ".join(lines).replace('"', "'")
    if len(text) > _MAX_QUOTED:
        text = text[:_MAX_QUOTED].rsplit(" ", 1)[0] + " …"
    return text


def _limit_aspect(image: Image.Image) -> Image.Image:
    """Pad a strip with a border.

    The engine enlarges the shorter side to what it can read: 940 x 2 pixels would become fifty megapixels
    and take a minute and seven gigabytes.
    """
    width, height = image.size
    size = (max(width, -(-height // _MAX_ASPECT)), max(height, -(-width // _MAX_ASPECT)))
    corner: Any = image.getpixel((0, 0))
    return image if size == image.size else ImageOps.pad(image, size, Image.Resampling.NEAREST, color=corner)
