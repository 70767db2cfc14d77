"""The embedded captioner: describes what can be measured in the pixels, without a model."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cutline.captioners.pixels import request
from cutline.captioners.pixels.measurements import measure
from cutline.captioners.pixels.ocr import TextReader, one_line
from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply

_MEASURE_SIDE: Final = 384
_OCR_SIDE: Final = 1280
_SETTINGS: Final = {"ocr": True, "no-ocr": False}


class Pixels(Captioner):
    """Describes light, colours, focus and composition; does not recognise objects.

    With ``ocr``, by name ``pixels:ocr``, it also reads text in the picture, which takes thirty times as long
    as everything else. ``pixels:no-ocr`` is the same as ``pixels``.

    Raises:
        MissingExtra: ``ocr`` is set and the extra is not installed.
        ConfigError: the name has an unknown setting after the colon.
    """

    name = "pixels"

    def __init__(self, ocr: bool | str = False) -> None:
        if isinstance(ocr, str):
            if ocr not in _SETTINGS:
                raise ConfigError(f"pixels has no setting {ocr!r}; it has {' and '.join(_SETTINGS)}")
            self.name = f"pixels:{ocr}"
            ocr = _SETTINGS[ocr]
        self.profile = Profile(instructable=False, ignores=self._ignores)
        self._reader = TextReader() if ocr else None
        self._threads = ThreadPoolExecutor(max_workers=self.slots, thread_name_prefix="pixels")

    @property
    def slots(self) -> int:
        return os.cpu_count() or 1

    async def open(self, say: Say = silent) -> None:  # noqa: ARG002 - too quick to report
        """Load the text recognition models, if any."""
        if self._reader is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._reader.load)

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for the library's prompt ``ocr`` where no text is read."""
        if self._reader is None and request.is_transcription(prompt):
            raise ConfigError(f"{self.name} does not read text; for the prompt ocr use the model pixels:ocr")

    def _ignores(self, prompt: Prompt) -> bool:
        """Whether ``prompt`` changes nothing: it names no form, schema or wrapper that is supported."""
        if request.is_transcription(prompt):
            return self._reader is None
        return not request.is_supported(prompt)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Measure and describe the picture. Deterministic.

        Raises:
            PictureError: the picture cannot be read or decoded.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._caption, picture, prompt)

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _caption(self, picture: Picture, prompt: Prompt) -> Reply:
        start = time.perf_counter()
        info = picture.info()
        measured = measure(picture.image(max_side=_MEASURE_SIDE), width=info.width, height=info.height)
        lines = None if self._reader is None else self._reader.read(picture.image(max_side=_OCR_SIDE))
        return Reply(
            text=request.reply_text(prompt, measured, lines),
            model=self.name,
            finish_reason="stop",
            seconds=time.perf_counter() - start,
            raw={**dataclasses.asdict(measured), "text": one_line(lines or [])},
        )
