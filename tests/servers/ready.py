"""How a test's server begins: on a free port of this machine, which it tells by ``ready PORT``."""

from __future__ import annotations

import asyncio

from aiohttp import web


async def on_a_port(app: web.Application, *, port: int = 0) -> None:
    """Serve until the process is ended; ``port`` 0 takes a free one."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, backlog=1024)
    await site.start()
    print(f"ready {site._server.sockets[0].getsockname()[1]}", flush=True)  # type: ignore[union-attr]
    await asyncio.Event().wait()
