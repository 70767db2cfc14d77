"""What the tests' services have in common: they refuse, and are told how to behave."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web


class Refusal(Exception):
    """Ends a request with ``response``, wherever it is raised."""

    response: web.Response


class Configurable(Protocol):
    settings: dict

    def reset(self) -> None: ...


@web.middleware
async def refusing(request: web.Request, handler: web.Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refusal as refusal:
        return refusal.response


def configuring(service: Configurable) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Takes ``POST /configure``: the service starts again with these settings."""

    async def configure(request: web.Request) -> web.Response:
        service.reset()
        service.settings |= await request.json()
        return web.json_response({})

    return configure
