"""An OpenAI-compatible endpoint that looks at each picture and says its colour, in a process of its own.

    python tests/servers/colours.py [LATENCY]

Prints ``ready PORT``. Each picture is to have a colour of its own, so that an answer can belong to one only.
``GET /stats`` tells how many requests came, and which colours of PNGs came ``twice``; JPEGs change theirs a little.
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
        return web.json_response({"requests": self.requests, "twice": self.twice})


async def serve() -> None:
    colours = Colours(float(sys.argv[1]) if len(sys.argv) > 1 else 0.0)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", colours.chat)
    app.router.add_get("/stats", colours.stats)
    await on_a_port(app)


if __name__ == "__main__":
    asyncio.run(serve())
