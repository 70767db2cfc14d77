"""A judge in a process of its own: it prefers better captions, likes what stands first, and sometimes errs.

    python tests/servers/judge.py --strength poor=-0.6 --strength fine=0.6 --place 0.8 --nonsense 0.05

Prints ``ready PORT``. A caption's quality is the sum of the strengths of the words in it. Every verdict is drawn from a
generator seeded by the request, so that runs repeat. ``--always first`` gives one verdict to all. Requests with one
caption are rated by its quality. ``GET /stats`` counts requests, ``POST /configure`` changes options.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import hashlib
import json
import math
import random
import re

from aiohttp import web
from ready import on_a_port

MARK = re.compile(r"two marks that contain ([0-9a-f]+)\.")
NONSENSE = ("Both are lovely.", '{"verdict": "maybe", "reason": "?"}', "1", '{"reason": "the first"}')


class Judge:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.strengths = {
            word: float(value) for word, _, value in (text.partition("=") for text in options.strength)
        }
        self.requests: collections.Counter[str] = collections.Counter()
        self.last: dict[str, object] = {}

    async def chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        parts = [part for message in body["messages"] for part in parts_of(message)]
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        whole = json.dumps([part for part in parts if part["type"] != "text"]) + text
        digest = hashlib.blake2b(whole.encode(), digest_size=8).hexdigest()
        self.requests[digest] += 1
        self.last = {"text": text, "model": body["model"], "schema": body.get("response_format")}
        if self.options.latency:
            await asyncio.sleep(self.options.latency)
        chance = random.Random(digest)
        # The picture's own difficulty, the same in both orders of its captions.
        shift = random.Random(whole.partition(text[:40])[0]).gauss(0, self.options.spread)
        return web.json_response(completion(self.answer(text, chance, shift), self.options.model))

    def answer(self, text: str, chance: random.Random, shift: float) -> str:
        if chance.random() < self.options.nonsense:
            return chance.choice(NONSENSE)
        mark = MARK.search(text)
        assert mark is not None, text
        found = {
            name: between(text, name, mark[1]) for name in ("first caption", "second caption", "caption")
        }
        if found["caption"] is not None:
            return json.dumps(self.ratings(found["caption"], chance))
        first, second = found["first caption"], found["second caption"]
        assert first is not None
        assert second is not None
        if self.options.always:
            return json.dumps({"reason": "as ever", "verdict": self.options.always})
        better = 1 if first < second else -1  # whose side the difficulty is on does not depend on the order
        odds = self.quality(first) - self.quality(second) + self.options.place + better * shift
        wins = chance.random() < 1 / (1 + math.exp(-odds))
        return json.dumps({"reason": "it says more", "verdict": "first" if wins else "second"})

    def quality(self, caption: str) -> float:
        return sum(strength for word, strength in self.strengths.items() if word in caption)

    def ratings(self, caption: str, chance: random.Random) -> dict[str, object]:
        level = 3 + 2 * math.tanh(self.quality(caption))
        names = ("accuracy", "coverage", "invention", "fluency")
        return {"reason": "none", **{name: round(min(5, max(1, chance.gauss(level, 0.7)))) for name in names}}

    async def configure(self, request: web.Request) -> web.Response:
        for name, value in (await request.json()).items():
            setattr(self.options, name, value)
        self.requests.clear()
        return web.json_response({})

    async def stats(self, _: web.Request) -> web.Response:
        counts = self.requests
        return web.json_response(
            {"requests": counts.total(), "games": len(counts), "repeated": counts.total() - len(counts)}
        )

    async def last_request(self, _: web.Request) -> web.Response:
        return web.json_response(self.last)


def parts_of(message: dict[str, object]) -> list[dict[str, str]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content  # type: ignore[return-value]


def between(text: str, name: str, mark: str) -> str | None:
    found = re.search(f"<<< {name} {mark}\n(.*)\n>>> end of {name} {mark}", text, re.DOTALL)
    return found[1] if found else None


def completion(content: str, model: str) -> dict[str, object]:
    message = {"role": "assistant", "content": content}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 300, "completion_tokens": 20, "total_tokens": 320},
    }


async def serve(options: argparse.Namespace) -> None:
    judge = Judge(options)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", judge.chat)
    app.router.add_post("/configure", judge.configure)
    app.router.add_get("/stats", judge.stats)
    app.router.add_get("/last", judge.last_request)
    await on_a_port(app)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--strength", action="append", default=[])
    parser.add_argument("--place", type=float, default=0.0)
    parser.add_argument("--nonsense", type=float, default=0.0)
    parser.add_argument("--spread", type=float, default=0.0)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--always", default="")
    parser.add_argument("--model", default="judge-1")
    asyncio.run(serve(parser.parse_args()))
