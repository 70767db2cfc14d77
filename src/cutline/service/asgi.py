"""Entry point of ASGI servers: ``uvicorn cutline.service.asgi:app``, with settings from the environment."""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import multiprocessing
import os
import sys

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cutline.errors import ConfigError
from cutline.garbage_collection import collect_rarely
from cutline.service.app import create_app
from cutline.service.lifecycle.shutdown import end_with_parent, on_shutdown_signal
from cutline.service.settings import Settings

_log = logging.getLogger("cutline.service")

ENVIRONMENT = "CUTLINE_SERVICE_SETTINGS"


def create() -> ASGIApp:
    """The application of this process; raises ConfigError, which a worker process logs before it exits."""
    end_with_parent()
    try:
        created = create_app(Settings.read(json.loads(os.environ.get(ENVIRONMENT, "{}"))))
    except ConfigError as error:
        if multiprocessing.parent_process() is None:
            raise
        _log.error("cannot start cause=%s", error)
        raise SystemExit(2) from None
    collect_rarely()
    return Startup(created)


class Startup:
    """ASGI middleware for the start: a signal ends it while the model loads, and its failure is one line.

    Servers handle signals only after the start, and log a traceback in place of a ConfigError.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        else:
            await self._inner(scope, receive, send)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = interrupted = False

        async def send_plainly(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "lifespan.startup.complete"
            if message["type"] == "lifespan.startup.failed":
                error = sys.exc_info()[1]  # sent while it is handled
                if interrupted:
                    _log.warning("stopped before the model was ready")
                    message = {**message, "message": ""}
                elif isinstance(error, ConfigError):
                    _log.error("cannot start cause=%s", error)
                    message = {**message, "message": ""}
            await send(message)

        lifespan = asyncio.ensure_future(self._inner(scope, receive, send_plainly))

        def interrupt() -> None:
            nonlocal interrupted
            if not started:
                interrupted = True
                lifespan.cancel()

        with on_shutdown_signal(interrupt):
            try:
                await lifespan
            except asyncio.CancelledError:
                if not interrupted:
                    raise


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """The application for ASGI servers that this package does not start.

    Settings come from ``CUTLINE_…`` variables, the host and port from the server; without a key it is for
    this machine only, whatever the server listens on.
    """
    await _created()(scope, receive, send)


@functools.cache
def _created() -> ASGIApp:
    return create()
