"""A web server for the pictures of one folder, in a process of its own: any ``/name/N.jpg`` is one of them.

Prints ``ready PORT``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web


async def serve(folder: Path) -> None:
    pictures = [path.read_bytes() for path in sorted(folder.iterdir())]

    async def picture(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        return web.Response(body=pictures[number % len(pictures)], content_type="image/jpeg")

    app = web.Application()
    app.router.add_get(r"/{number:\d+}.jpg", picture)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
    await site.start()
    print("ready", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
