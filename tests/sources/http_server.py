"""A real server with bad manners, run as a process of its own: prints its port, then serves."""

from __future__ import annotations

import asyncio
import collections
import gzip
import io
import sys

from aiohttp import web
from PIL import Image

HITS: collections.Counter[str] = collections.Counter()


def jpeg(size=(64, 48)):
    file = io.BytesIO()
    Image.new("RGB", size, (200, 80, 20)).save(file, "JPEG")
    return file.getvalue()


PHOTO = jpeg()
BOMB = gzip.compress(bytes(80 * 1024 * 1024))


@web.middleware
async def count(request, handler):
    HITS[request.path] += 1
    return await handler(request)


async def mixed(request):
    """One in ten is gone, one in ten answers at the third time, one in ten always cuts the line."""
    number = int(request.match_info["n"])
    if number % 10 == 0:
        return web.Response(status=404, text="gone")
    if number % 10 == 1 and HITS[request.path] < 3:
        return web.Response(status=503)
    if number % 10 == 2:
        request.transport.abort()
    return web.Response(body=PHOTO, content_type="image/jpeg")


async def status(request):
    headers = {"Retry-After": request.query["after"]} if "after" in request.query else {}
    if HITS[request.path] > int(request.query.get("times", "1000")):
        return web.Response(body=PHOTO)
    return web.Response(status=int(request.match_info["code"]), headers=headers)


async def drip(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.05)


async def endless(request):
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(bytes(65536))


async def raw(request):
    """The body that the query gives, with a Content-Length that need not be true."""
    transport = request.transport
    length = request.query["length"]
    transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n".encode() + PHOTO)
    await asyncio.sleep(0.05)
    transport.close()
    return web.Response()


async def bomb(request):
    return web.Response(body=BOMB, headers={"Content-Encoding": "gzip"})


async def packed(request):
    return web.Response(body=gzip.compress(PHOTO), headers={"Content-Encoding": "gzip"})


async def page(request):
    return web.Response(text="\n <!DOCTYPE html><html>Sign in</html>", content_type="image/jpeg")


async def redirect(request):
    raise web.HTTPFound(request.query["to"])


async def loop(request):
    raise web.HTTPFound("/loop")


async def hang(request):
    await asyncio.sleep(60)


async def empty(request):
    return web.Response(body=b"")


async def photo(request):
    return web.Response(body=PHOTO, content_type="image/jpeg")


async def hits(request):
    return web.json_response(dict(HITS))


async def main():
    app = web.Application(middlewares=[count])
    for path, handler in {
        "/mixed/{n}": mixed, "/status/{code}": status, "/drip": drip, "/endless": endless, "/raw": raw, "/bomb": bomb,
        "/packed": packed, "/page": page, "/redirect": redirect, "/loop": loop, "/hang": hang, "/empty": empty,
        "/photo/{n}": photo, "/hits": hits,
    }.items():  # fmt: skip
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
