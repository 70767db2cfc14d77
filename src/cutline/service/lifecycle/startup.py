"""The start of the service as its operator sees it: it can be broken off, and its failure is one line."""

from __future__ import annotations

import asyncio
import logging
import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.errors import ConfigError
from cutline.service.lifecycle.shutdown import told_to_stop

_log = logging.getLogger("cutline.service")


class PlainStart:
    """Ends a start that waits for its model when a signal asks for it, which servers do only afterwards.

    A ConfigError is told in place of the traceback that the server would tell.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _live(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = broken_off = False

        async def plain(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "lifespan.startup.complete"
            if message["type"] == "lifespan.startup.failed":
                message = {**message, **told_of(sys.exc_info()[1])}  # sent while the error is handled
            await send(message)

        def told_of(cause: BaseException | None) -> Message:
            if broken_off:
                _log.warning("stopped before the model was ready")
            elif isinstance(cause, ConfigError):
                _log.error("cannot start cause=%s", cause)
            else:
                return {}
            return {"message": ""}

        life = asyncio.ensure_future(self._app(scope, receive, plain))

        def stop() -> None:
            nonlocal broken_off
            if not started:
                broken_off = True
                life.cancel()

        with told_to_stop(stop):
            try:
                await life
            except asyncio.CancelledError:
                if not broken_off:
                    raise
