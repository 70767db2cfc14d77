"""Several models at one endpoint, in a process of its own, that remembers what each was asked.

Prints ``ready PORT``. ``POST /script`` takes ``{model: {status, content, finish, times, latency, with}}``: what
the model answers instead of its usual sentence, for the first ``times`` requests or, without it, always; ``with``
names models that must be asked about the same picture at the same time, or the answer is 500. A list has one such
for each request, in their order. ``GET /asked`` is
every request in the order of their coming, ``POST /forget`` forgets them.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib

from aiohttp import web
from ready import on_a_port

TOKENS = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


class Experts:
    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.script: dict[str, dict[str, object]] = {}
        self.under_way: set[tuple[str, str]] = set()

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        model, message = body["model"], body["messages"][-1]["content"]
        url = next(part["image_url"]["url"] for part in message if part["type"] == "image_url")
        picture = hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
        text = "\n".join(part["text"] for part in message if part["type"] == "text")
        entry = {"model": model, "picture": picture, "text": text, "answered": False}
        entry["parameters"] = {
            name: body.get(name) for name in ("max_tokens", "temperature", "top_p", "seed")
        }
        entry["key"] = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(entry)
        plan = self.plan(model)
        self.under_way.add((picture, model))
        try:
            together = await self.meet(picture, plan.get("with", []))
            await asyncio.sleep(float(plan.get("latency", 0)))
        finally:
            self.under_way.discard((picture, model))
        status = int(plan.get("status", 200)) if together else 500
        if status != 200:
            return web.json_response({"error": {"message": f"scripted {status}"}}, status=status)
        entry["answered"] = True
        content = plan.get("content", f"{model} sees picture {picture}.")
        choice = {
            "message": {"role": "assistant", "content": content},
            "finish_reason": plan.get("finish", "stop"),
        }
        return web.json_response({"model": f"{model}-2026", "choices": [choice], "usage": TOKENS})

    def plan(self, model: str) -> dict[str, object]:
        plan = self.script.get(model, {})
        if isinstance(plan, list):
            return dict(plan.pop(0)) if plan else {}
        if "times" in plan:
            if not plan["times"]:
                return {}
            plan["times"] -= 1
        return dict(plan)

    async def meet(self, picture: str, others: list[str]) -> bool:
        """Whether all ``others`` are asked about the picture while this request waits."""
        for _ in range(500):
            if {(picture, other) for other in others} <= self.under_way:
                return True
            await asyncio.sleep(0.01)
        return False

    async def set_script(self, request: web.Request) -> web.Response:
        self.script = await request.json()
        return web.json_response({})

    async def forget(self, _: web.Request) -> web.Response:
        self.asked, self.script = [], {}
        return web.json_response({})

    async def tell(self, _: web.Request) -> web.Response:
        return web.json_response(self.asked)


async def serve(port: int) -> None:
    experts = Experts()
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", experts.chat)
    app.router.add_post("/script", experts.set_script)
    app.router.add_post("/forget", experts.forget)
    app.router.add_get("/asked", experts.tell)
    await on_a_port(app, port=port)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    asyncio.run(serve(parser.parse_args().port))
