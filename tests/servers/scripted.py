"""A server in a process of its own that answers every chat completion as it was last told to.

    python tests/servers/scripted.py --folder pictures

Prints ``ready PORT``. ``POST /script`` takes ``{status, headers, body}`` (``body`` as text) or
``{content}``, the words of a usual answer, and ``refused``, an answer to requests that have a ``field``;
``GET /last`` is the last request and the number of all. The folder's files are
served below ``/pictures/``.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from aiohttp import web
from ready import on_a_port


class Scripted:
    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = completion("A scripted caption.")
        self.said: dict[str, object] = {}
        self.refused: dict[str, object] | None = None
        self.count = 0

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {str(name): value for name, value in request.headers.items()}
        self.count += 1
        self.said = {
            "body": json.loads(body),
            "headers": headers,
            "path": request.path,
            "query": request.query_string,
            "count": self.count,
        }
        if self.refused is not None and self.refused["field"] in self.said["body"]:
            status, text = self.refused["status"], self.refused["body"]
            return web.Response(status=status, text=text, content_type="application/json")
        return web.Response(
            status=self.status,
            body=self.body.encode(),
            headers={"Content-Type": "application/json", **self.headers},
        )

    async def script(self, request: web.Request) -> web.Response:
        data = await request.json()
        self.refused, self.count = data.get("refused"), 0
        self.status = data.get("status", 200)
        self.headers = data.get("headers", {})
        self.body = completion(data["content"]) if "content" in data else data["body"]
        return web.json_response({})

    async def last_request(self, _: web.Request) -> web.Response:
        return web.json_response(self.said)


def completion(content: object) -> str:
    return json.dumps(
        {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "scripted-1",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": content},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
        }
    )


async def serve(options: argparse.Namespace) -> None:
    scripted = Scripted()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", scripted.answer)
    app.router.add_post("/script", scripted.script)
    app.router.add_get("/last", scripted.last_request)
    if options.folder:
        app.router.add_static("/pictures/", options.folder)
    await on_a_port(app)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="")
    asyncio.run(serve(parser.parse_args()))
