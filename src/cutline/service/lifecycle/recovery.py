"""A model that was lost is loaded again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from cutline import retry_policy
from cutline.errors import ConfigError

_log = logging.getLogger("cutline.service")


class Recovery:
    """Calls ``reopen`` in the background until it succeeds; a model that needs no opening is open at once."""

    def __init__(self, reopen: Callable[[], Awaitable[None]]) -> None:
        self._reopen = reopen
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Start, unless it is running already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="recovery")

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                return await self._reopen()
            except ConfigError as error:
                failures += 1
                _log.error("model still unavailable attempts=%d cause=%s", failures, error)
                await asyncio.sleep(1.0 + retry_policy.delay(failures, first=2.0))

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
