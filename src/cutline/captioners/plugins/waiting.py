"""A model of the user's own whose calls wait: a class with an asynchronous ``caption``."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any

from cutline.captioners.plugins.answers import reply_of
from cutline.captioners.plugins.containing import Calls
from cutline.imaging import Picture
from cutline.prompts import Prompt
from cutline.records import Reply


class WaitingModel:
    """Asks the object that ``start`` makes, through ``caption``; ``slots`` calls at once."""

    def __init__(self, start: Callable[[], object], *, name: str, slots: int) -> None:
        self.name = name
        self.slots = slots
        self._start = start
        self._model: Any = None
        self._opening = asyncio.Lock()

    async def open(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Make the model, unless that was done; raises ConfigError when it cannot be made."""
        async with self._opening:
            if self._model is None:
                say(f"loading {self.name}")
                self._model = await Calls(self.name, timeout=0).start(self._start)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Ask about one picture; raises what the model raises, SampleError when it gives nonsense."""
        if self._model is None:
            await self.open()
        start = time.perf_counter()
        result = await self._model.caption(picture, prompt)
        return reply_of(result, model=self.name, seconds=time.perf_counter() - start)

    async def aclose(self) -> None:
        """Let the model close what it holds, if it has ``aclose()``."""
        model, self._model = self._model, None
        closed = model.aclose() if hasattr(model, "aclose") else None
        if inspect.isawaitable(closed):
            await closed
