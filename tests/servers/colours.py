"""An OpenAI-compatible endpoint that looks at each picture and says its colour, in a process of its own.

    python tests/servers/colours.py [LATENCY]

Prints ``ready PORT``. Each picture is to have a colour of its own, so that an answer can belong to one only.
``GET /stats`` tells how many requests came, and which colours of PNGs came ``twice``; JPEGs change theirs a little.
``PUT /NAME`` keeps a picture, ``GET /etag/NAME``, ``/date/NAME`` and ``/plain/NAME`` return it with the validator in
their name; stats count these ``bodies``.
"""

from __future__ import annotations

import asyncio
import base64
import io
import sys

from aiohttp import web
from PIL import Image
from ready import on_a_port


class Colours:
    def __init__(self, latency: float) -> None:
        self.latency = latency
        self.requests = self.twice = 0
        self.seen: set[str] = set()
        self.pictures: dict[str, tuple[bytes, int]] = {}
        self.bodies = 0

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        parts = body["messages"][-1]["content"]
        url = next(part["image_url"]["url"] for part in parts if part["type"] == "image_url")
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as picture:
            red, green, blue = picture.convert("RGB").getpixel((picture.width // 2, picture.height // 2))
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        self.requests += 1
        if url.startswith("data:image/png"):
            self.twice += colour in self.seen
            self.seen.add(colour)
        await asyncio.sleep(self.latency)
        message = {"role": "assistant", "content": f"It is all {colour}."}
        usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
        return web.json_response(
            {"model": "colours", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        )

    async def stats(self, _: web.Request) -> web.Response:
        counts = {"requests": self.requests, "twice": self.twice, "bodies": self.bodies}
        return web.json_response(counts)

    async def put(self, request: web.Request) -> web.Response:
        version = self.pictures.get(request.match_info["name"], (b"", 0))[1] + 1
        self.pictures[request.match_info["name"]] = (await request.read(), version)
        return web.Response()

    async def get(self, request: web.Request) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["name"]
        data, version = self.pictures.get(name, (b"", 0))
        if not data:
            return web.Response(status=404)
        date = f"Fri, 0{version} Jan 2021 00:00:00 GMT"
        name, condition, validator = {
            "etag": ("ETag", "If-None-Match", f'"v|{version}"'),
            "date": ("Last-Modified", "If-Modified-Since", date),
            "plain": ("X-Version", "X-None", "none"),
        }[kind]
        if request.headers.get(condition) == validator:
            return web.Response(status=304, headers={name: validator})
        self.bodies += 1
        return web.Response(body=data, headers={name: validator})


async def serve() -> None:
    colours = Colours(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", colours.chat)
    app.router.add_get("/stats", colours.stats)
    app.router.add_put("/{name}", colours.put)
    app.router.add_get("/{kind}/{name}", colours.get)
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
