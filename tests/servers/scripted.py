"""A server in a process of its own that answers every chat completion as it was last told to.

    python tests/servers/scripted.py --folder pictures

Prints ``ready PORT``. ``POST /script`` takes ``{status, headers, body, encoding}`` (``body`` as text) or
``{content}``, the words of a usual answer, and ``refused``, an answer to requests that have a ``field``;
``ECHO`` in the body becomes the values of the request's headers ``echoed``.
``GET /agents`` names who downloaded, ``GET /last`` is the last request and the number of all. The folder's files are
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
        self.encoding = "utf-8"
        self.said: dict[str, object] = {}
        self.agents: list[str] = []
        self.echoed: list[str] = []
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
        text = self.body.replace("ECHO", " ".join(request.headers.get(name, "") for name in self.echoed))
        return web.Response(
            status=self.status,
            body=text.encode(self.encoding),
            headers={"Content-Type": "application/json", **self.headers},
        )

    @web.middleware
    async def agents_of(self, request: web.Request, handler: web.Handler) -> web.StreamResponse:
        if request.path.startswith("/pictures/"):
            self.agents.append(request.headers.get("User-Agent", ""))
        return await handler(request)

    async def script(self, request: web.Request) -> web.Response:
        data = await request.json()
        self.refused, self.count, self.echoed = data.get("refused"), 0, data.get("echoed", [])
        self.status = data.get("status", 200)
        self.headers = data.get("headers", {})
        self.encoding = data.get("encoding", "utf-8")
        self.body = completion(data["content"]) if "content" in data else data["body"]
        return web.json_response({})

    async def agents_seen(self, _: web.Request) -> web.Response:
        """The programs that downloaded pictures since the last time."""
        seen, self.agents = self.agents, []
        return web.json_response(seen)

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
    app = web.Application(client_max_size=64 << 20, middlewares=[scripted.agents_of])
    app.router.add_post("/v1/chat/completions", scripted.answer)
    app.router.add_post("/openai/deployments/{name}/chat/completions", scripted.answer)
    app.router.add_post("/script", scripted.script)
    app.router.add_get("/last", scripted.last_request)
    app.router.add_get("/agents", scripted.agents_seen)
    if options.folder:
        app.router.add_static("/pictures/", options.folder)
    await on_a_port(app)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", default="")
    asyncio.run(serve(parser.parse_args()))
