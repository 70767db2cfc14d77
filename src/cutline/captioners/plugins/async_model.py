"""A plug-in's model with an asynchronous ``caption``."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cutline.captioners.plugins.event_loop import BackgroundLoop
from cutline.captioners.plugins.isolation import MAX_LOST_CALLS, load_error, lost_calls_error, sample_error
from cutline.captioners.plugins.results import reply_of
from cutline.errors import Rejected, Retryable
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply

_log = logging.getLogger(__name__)

MAX_ATTEMPTS: Final = 3
"""Attempts for a picture whose loop other calls block."""
CLOSE_TIMEOUT: Final = 5.0  # seconds


class AsyncModel(Captioner):
    """Calls ``caption`` of the object that ``start`` creates; ``slots`` calls at once.

    The object lives on an event loop of its own. When a call blocks that, the loop is abandoned, and the
    other calls are repeated on a new loop with a new object.
    """

    profile = Profile(own_timeout=True)  # a call that blocks the loop must not be blamed on others

    def __init__(
        self, start: Callable[[], object], *, name: str, file: str | None, slots: int, timeout: float
    ) -> None:
        self.name = name
        self._slots = slots
        self._start = start
        self._file = file
        self._timeout = timeout
        self._current: tuple[BackgroundLoop, Any] | None = None
        self._lost = 0
        self._opening = asyncio.Lock()

    @property
    def slots(self) -> int:
        return self._slots

    async def open(self, say: Say = silent) -> None:
        """Create the model once; raises ConfigError when it cannot be created."""
        async with self._opening:
            if self._current is None:
                say(f"loading {self.name}")
                await self._create()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Caption one picture.

        Raises:
            SampleError: ``captioner``, when the model returns something else than a caption.
            Retryable, Rejected: ``timeout``; the latter where the model blocks.
            RunStopped: it blocks too often.
            Exception: what the model raises.
        """
        for _ in range(MAX_ATTEMPTS):
            if self._current is None:
                await self.open()
            current = self._current
            assert current is not None
            loop, model = current
            call = object()
            start = time.perf_counter()
            try:
                result = await self._run(loop, call, functools.partial(model.caption, picture, prompt))
            except TimeoutError:
                if not await loop.is_blocked():
                    raise Retryable("timeout", self._timeout_message()) from None
                blocking = loop.running is call
                self._abandon(current)
                if blocking:
                    raise Rejected(
                        "timeout",
                        f"{self._timeout_message()}, and blocked its event loop: await, or write infer()",
                    ) from None
            else:
                return reply_of(result, model=self.name, seconds=time.perf_counter() - start)
        raise Rejected("timeout", f"{self._timeout_message()}: other calls block its event loop")

    async def aclose(self) -> None:
        """Await the model's own ``aclose()``, if it has one."""
        current, self._current = self._current, None
        if current is None:
            return
        loop, model = current
        try:
            if callable(getattr(model, "aclose", None)):
                await self._run(loop, None, model.aclose, seconds=CLOSE_TIMEOUT)
        except Exception as error:  # noqa: BLE001 - all captions are there; what it holds ends with the program
            _log.warning("aclose model=%s failed: %s", self.name, error or "it takes too long")
        finally:
            loop.stop()

    async def _create(self) -> None:
        """Create the model on its loop, without a time limit."""
        loop = BackgroundLoop()

        async def create() -> object:
            return self._start()

        model, error = await asyncio.wrap_future(loop.submit(None, create))
        if error is not None:
            loop.stop()
            raise load_error(self.name, error, self._file)
        self._current = loop, model

    async def _run(
        self,
        loop: BackgroundLoop,
        call: object,
        work: Callable[[], Awaitable[object]],
        *,
        seconds: float | None = None,
    ) -> object:
        """The result of ``work``; raises TimeoutError, or what ``work`` raises."""
        async with asyncio.timeout(seconds or self._timeout):
            result, error = await asyncio.wrap_future(loop.submit(call, work))
        if error is not None:
            raise sample_error(error, self._file)
        return result

    def _abandon(self, blocked: tuple[BackgroundLoop, Any]) -> None:
        """Use a new loop for later pictures."""
        if blocked is not self._current:
            return
        self._current = None
        self._lost += 1
        if self._lost >= MAX_LOST_CALLS:
            raise lost_calls_error(self.name, self._timeout)

    def _timeout_message(self) -> str:
        return f"{self.name} did not answer within {self._timeout:g} s"
