"""The captioner that needs nothing: it says what can be measured in the pixels."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from cutline.captioners.pixels import ocr as reading
from cutline.captioners.pixels.measurements import measure
from cutline.captioners.pixels.request import answer, honours
from cutline.errors import ConfigError
from cutline.imaging import Picture
from cutline.prompts import Prompt
from cutline.records import Reply

_MEASURED_SIDE: Final = 384
_READ_SIDE: Final = 1280
_SETTINGS: Final = {"ocr": True, "no-ocr": False}


class Pixels:
    """Describes light, colours, focus and composition; it recognises no things and knows no names.

    ``ocr`` adds the text it reads in the picture: None reads when the extra ``ocr`` is installed. By name
    that is ``pixels``, ``pixels:ocr`` and ``pixels:no-ocr``.

    Raises:
        MissingExtra: reading is asked for and the extra is not installed.
        ConfigError: another setting is given by name.
    """

    name = "pixels"
    instructable = False

    def __init__(self, ocr: bool | str | None = None) -> None:
        if isinstance(ocr, str):
            if ocr not in _SETTINGS:
                raise ConfigError(f"pixels has no setting {ocr!r}; it has {' and '.join(_SETTINGS)}")
            self.name = f"pixels:{ocr}"
            ocr = _SETTINGS[ocr]
        wanted = reading.installed() if ocr is None else ocr
        self._reader = reading.Reader() if wanted else None
        self._threads = ThreadPoolExecutor(max_workers=self.slots, thread_name_prefix="pixels")

    @property
    def slots(self) -> int:
        return os.cpu_count() or 1

    async def open(self, say: Callable[[str], None]) -> None:  # noqa: ARG002 - it takes no time worth a line
        """Load what reads the text."""
        if self._reader is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._reader.load)

    def ignores(self, prompt: Prompt) -> bool:
        """Whether nothing of what it asks for can be given: no form, no field, no wrapper."""
        return not honours(prompt)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Measure and describe; the same picture always gets the same words.

        Raises:
            PictureError: the picture cannot be read or opened.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._caption, picture, prompt)

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _caption(self, picture: Picture, prompt: Prompt) -> Reply:
        start = time.perf_counter()
        info = picture.info()
        found = measure(picture.image(max_side=_MEASURED_SIDE), width=info.width, height=info.height)
        text = self._reader.read(picture.image(max_side=_READ_SIDE)) if self._reader else ""
        return Reply(
            text=answer(prompt, found, text),
            model=self.name,
            finish_reason="stop",
            seconds=time.perf_counter() - start,
            raw={**found.to_json(), "text": text},
        )
