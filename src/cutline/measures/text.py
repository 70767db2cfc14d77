"""How much of a picture is text."""

from __future__ import annotations

from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, MeasureOptions, Say, silent
from cutline.measures.ocr import TextReader


class Text(Measure):
    """The share of the area covered by text that RapidOCR recognises; raises MissingExtra without ``ocr``."""

    name = "text"
    meaning = "share of the area that is text, as in screenshots and scans (extra ocr)"
    usual, bad = 0.0, 0.3
    is_slow = True

    def __init__(self, options: MeasureOptions) -> None:
        super().__init__(options)
        self._reader = TextReader()

    def open(self, say: Say = silent) -> None:  # noqa: ARG002 - too quick to report
        self._reader.load()

    def measure(self, picture: DecodedPicture) -> float:
        return min(1.0, sum(area for _, area in self._reader.read_places(picture.image)))
