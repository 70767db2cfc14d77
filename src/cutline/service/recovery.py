"""A model that was lost while the service runs, such as a server of ours that ended, is opened again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from cutline import backoff
from cutline.errors import ConfigError

_log = logging.getLogger("cutline.service")


class Recovery:
    """Opens again in the background, until that succeeds; those that need no opening are open at once."""

    def __init__(self, open_again: Callable[[], Awaitable[None]]) -> None:
        self._open_again = open_again
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """The model could not be asked; does nothing where that is being seen to already."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="reviving")

    async def _run(self) -> None:
        failures = 0
        while True:
            try:
                await self._open_again()
            except ConfigError as error:
                failures += 1
                _log.error("model still unusable attempts=%d cause=%s", failures, error)
                await asyncio.sleep(1.0 + backoff.delay(failures, first=2.0))
            else:
                return

    async def aclose(self) -> None:
        """Give up."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
