"""A service that cannot start for a reason that its operator can mend says so in one line."""

from __future__ import annotations

import logging
import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.errors import ConfigError

_log = logging.getLogger("cutline.service")


class PlainStart:
    """Tells a ConfigError of the application's start instead of the traceback that the server would tell."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def plain(message: Message) -> None:
            cause = sys.exc_info()[1]  # sent while it is handled
            if message["type"] == "lifespan.startup.failed" and isinstance(cause, ConfigError):
                _log.error("cannot start cause=%s", cause)
                message = {**message, "message": ""}
            await send(message)

        await self._app(scope, receive, plain if scope["type"] == "lifespan" else send)
