"""A model of the user's own whose calls wait: a class with an asynchronous ``caption``."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

from cutline.captioners.plugins.event_loop import Host
from cutline.captioners.plugins.isolation import MOST_LOST, harmless, lost, unloadable
from cutline.captioners.plugins.results import reply_of
from cutline.errors import Rejected, Retryable
from cutline.imaging import Picture
from cutline.prompts import Prompt
from cutline.records import Reply

_log = logging.getLogger(__name__)

AGAIN: Final = 3
"""How often a picture is asked about anew because others blocked the loop."""
CLOSING: Final = 5.0  # seconds


class WaitingModel:
    """Asks the object that ``start`` makes, through ``caption``; ``slots`` calls at once.

    It lives on an event loop of its own. Where a call blocks that, the loop is left behind with it, and
    the other calls are made anew on another loop, to another object.
    """

    keeps_time = True  # who blocks its loop, others cannot be blamed for

    def __init__(
        self, start: Callable[[], object], *, name: str, file: str | None, slots: int, timeout: float
    ) -> None:
        self.name = name
        self.slots = slots
        self._start = start
        self._file = file
        self._timeout = timeout
        self._living: tuple[Host, Any] | None = None
        self._lost = 0
        self._opening = asyncio.Lock()

    async def open(self, say: Callable[[str], None] = lambda _: None) -> None:
        """Make the model, unless that was done; raises ConfigError when it cannot be made."""
        async with self._opening:
            if self._living is None:
                say(f"loading {self.name}")
                await self._settle()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Ask about one picture.

        Raises:
            SampleError: ``captioner``, when the model gives nonsense.
            Retryable, Rejected: ``timeout``; the latter where the model blocks.
            RunStopped: it blocks too often.
            Exception: what the model raises.
        """
        for _ in range(AGAIN):
            if self._living is None:
                await self.open()
            living = self._living
            assert living is not None
            host, model = living
            call = object()
            start = time.perf_counter()
            try:
                result = await self._within(host, call, functools.partial(model.caption, picture, prompt))
            except TimeoutError:
                if not await host.is_blocked():
                    raise Retryable("timeout", self._late()) from None
                guilty = host.running is call
                self._leave(living)
                if guilty:
                    raise Rejected(
                        "timeout", f"{self._late()}, and blocked its event loop: await, or write infer()"
                    ) from None
            else:
                return reply_of(result, model=self.name, seconds=time.perf_counter() - start)
        raise Rejected("timeout", f"{self._late()}: other calls block its event loop")

    async def aclose(self) -> None:
        """Let the model close what it holds, if it has ``aclose()``."""
        living, self._living = self._living, None
        if living is None:
            return
        host, model = living
        try:
            if callable(getattr(model, "aclose", None)):
                await self._within(host, None, model.aclose, seconds=CLOSING)
        except Exception as error:  # noqa: BLE001 - all captions are there; what it holds ends with the program
            _log.warning("aclose model=%s failed: %s", self.name, error or "it takes too long")
        finally:
            host.end()

    async def _settle(self) -> None:
        """Make the model where it will live, however long that takes."""
        host = Host()

        async def make() -> object:
            return self._start()

        made, error = await asyncio.wrap_future(host.submit(None, make))
        if error is not None:
            host.end()
            raise unloadable(self.name, error, self._file)
        self._living = host, made

    async def _within(
        self,
        host: Host,
        call: object,
        work: Callable[[], Awaitable[object]],
        *,
        seconds: float | None = None,
    ) -> object:
        """What ``work`` gives or raises; raises TimeoutError when that takes too long."""
        async with asyncio.timeout(seconds or self._timeout):
            result, error = await asyncio.wrap_future(host.submit(call, work))
        if error is not None:
            raise harmless(error, self._file)
        return result

    def _leave(self, living: tuple[Host, Any]) -> None:
        """Have later pictures go elsewhere."""
        if living is not self._living:
            return
        self._living = None
        self._lost += 1
        if self._lost >= MOST_LOST:
            raise lost(self.name, self._timeout)

    def _late(self) -> str:
        return f"{self.name} did not answer within {self._timeout:g} s"
