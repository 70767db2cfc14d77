"""An OpenAI-compatible endpoint in a process of its own, with slots, latency and faults.

    python tests/servers/endpoint.py --port 0 --slots 64 --latency 0.2 --fault 500=0.04 --fault reset=0.04

Prints ``ready PORT``. ``GET /stats`` tells what was asked; ``GET /last`` is the last request. Whether a
request meets a fault is decided by the picture, its attempt and the seed, so that runs repeat.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import email.utils
import hashlib
import time

import orjson
import uvloop
from aiohttp import web
from ready import on_a_port


class Endpoint:
    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.slots = asyncio.Semaphore(options.slots)
        self.faults = [(name, float(share)) for name, _, share in (f.partition("=") for f in options.fault)]
        self.attempts: collections.Counter[str] = collections.Counter()
        self.answered: collections.Counter[str] = collections.Counter()
        self.injected: collections.Counter[str] = collections.Counter()
        self.in_flight = self.most_in_flight = self.requests = 0
        self.epoch = 0
        self.of_epoch: collections.Counter[int] = collections.Counter()
        self.busy = 0.0
        self.last = b"{}"
        self.last_headers: dict[str, str] = {}
        self.first_at = self.last_at = 0.0
        self.early = 0  # pictures that came again before their Retry-After had passed
        self.not_before: dict[str, float] = {}
        self.tokens, self.filled_at = 0.0, 0.0

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        now = time.monotonic()
        self.first_at = self.first_at or now
        self.requests += 1
        self.last = body
        self.last_headers = {str(name): value for name, value in request.headers.items()}
        digest = self.picture(body)
        if now < self.not_before.pop(digest, 0.0):
            self.early += 1
        attempt = self.attempts[digest]
        self.attempts[digest] += 1
        if self.options.key and request.headers.get("Authorization") != f"Bearer {self.options.key}":
            return error(401, "Incorrect API key provided: " + request.headers.get("Authorization", "")[7:])
        if self.options.max_in_flight and self.in_flight >= self.options.max_in_flight:
            self.injected["overload"] += 1
            return error(429, "too many requests", {"Retry-After": "0"})
        if self.options.rate and not self.take_token(now):
            return self.slow_down("rate", digest)
        self.in_flight += 1
        epoch = self.epoch
        self.of_epoch[epoch] += 1
        self.most_in_flight = max(self.most_in_flight, self.of_epoch[epoch])
        try:
            response = await self.answer(request, digest, attempt)
        finally:
            self.in_flight -= 1
            self.of_epoch[epoch] -= 1
            self.last_at = time.monotonic()
        return response

    def take_token(self, now: float) -> bool:
        """A token bucket: ``rate`` requests a second, and ``burst`` at once."""
        rate, burst = self.options.rate, self.options.burst
        self.tokens = min(burst, self.tokens + (now - self.filled_at) * rate)
        self.filled_at = now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    def slow_down(self, kind: str, digest: str, status: int = 429) -> web.Response:
        self.injected[kind] += kind == "rate"  # faults are counted where they are drawn
        wait = self.options.retry_after
        self.not_before[digest] = time.monotonic() + wait - 0.05
        date = email.utils.formatdate(time.time() + wait + 1, usegmt=True)
        headers = {"Retry-After": date if kind == "429-date" else str(wait)}
        if self.options.openai_headers:
            headers = {
                "x-ratelimit-remaining-tokens": "0",
                "x-ratelimit-reset-tokens": f"{wait * 1000:.0f}ms",
            }
        return error(status, "slow down", headers)

    def picture(self, body: bytes) -> str:
        """A digest of the picture: of the last data URL in the request."""
        if self.options.fast:
            return str(self.requests)
        start = body.rfind(b";base64,")
        return hashlib.blake2b(body[start : body.find(b'"', start)], digest_size=6).hexdigest()

    async def answer(self, request: web.Request, digest: str, attempt: int) -> web.StreamResponse:
        fault = self.fault(digest, attempt)
        if fault:
            self.injected[fault] += 1
            response = await self.break_down(request, fault, digest)
            if response is not None:
                return response
        slots = self.slots  # others may take its place meanwhile
        try:
            async with asyncio.timeout(self.options.queue_timeout or None):
                await slots.acquire()
        except TimeoutError:
            self.injected["queue"] += 1
            return error(504, "waited too long")
        try:
            start = time.monotonic()
            await asyncio.sleep(self.options.latency)
            self.busy += time.monotonic() - start
        finally:
            slots.release()
        self.answered[digest] += 1
        return web.Response(body=completion(digest, fault), content_type="application/json")

    def fault(self, digest: str, attempt: int) -> str:
        draw = hashlib.blake2b(f"{self.options.seed}/{digest}/{attempt}".encode(), digest_size=8).digest()
        place = int.from_bytes(draw, "big") / 2**64
        for name, share in self.faults:
            if place < share:
                return name
            place -= share
        return ""

    async def break_down(self, request: web.Request, fault: str, digest: str) -> web.StreamResponse | None:
        if fault in {"429", "429-date", "503-after"}:
            return self.slow_down(fault, digest, int(fault[:3]))
        if fault.removesuffix("-page").isdigit():
            return (
                web_page(int(fault[:3]))
                if fault.endswith("-page")
                else error(int(fault), f"injected {fault}")
            )
        if fault == "quota":
            return error(429, "You exceeded your current quota", code="insufficient_quota")
        if fault in {"reset", "cut"}:
            if fault == "cut":
                half = web.StreamResponse(
                    headers={"Content-Length": "1000", "Content-Type": "application/json"}
                )
                await half.prepare(request)
                await half.write(b'{"choices": [{"mess')
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "hang":
            while request.transport is not None and not request.transport.is_closing():
                await asyncio.sleep(0.05)
            return web.Response()
        if fault == "malformed":
            return web.Response(text="<html>upstream said hello</html>", content_type="text/html")
        if fault == "no-choices":
            return web.json_response({"object": "chat.completion"})
        return None

    async def models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "test-model", "object": "model"}]})

    async def stats(self, _: web.Request) -> web.Response:
        seconds = max(self.last_at - self.first_at, 1e-9)
        return web.json_response(
            {
                "requests": self.requests,
                "pictures": len(self.answered),
                "answered": sum(self.answered.values()),
                "twice": sum(count - 1 for count in self.answered.values()),
                "most_in_flight": self.most_in_flight,
                "in_flight": self.in_flight,
                "injected": self.injected,
                "early": self.early,
                "share": self.busy / seconds / self.options.slots,
                "seconds": seconds,
            }
        )

    async def last_request(self, _: web.Request) -> web.Response:
        data = {"body": orjson.loads(self.last), "headers": self.last_headers}
        return web.Response(body=orjson.dumps(data), content_type="application/json")

    async def reconfigure(self, request: web.Request) -> web.Response:
        """Change settings while running: latency, slots, faults, max_in_flight.

        ``most_in_flight`` starts again, and with faults the attempts; requests of before do not count in them.
        """
        self.epoch += 1
        self.most_in_flight = 0
        data = await request.json()
        for name, value in data.items():
            if name == "slots":
                self.slots = asyncio.Semaphore(value)
            elif name == "fault":
                self.faults = [(key, float(share)) for key, share in value.items()]
                self.attempts.clear()
            setattr(self.options, name, value)
        return web.json_response({})


def completion(digest: str, fault: str) -> bytes:
    content: object = f"A test caption of picture {digest}."
    message: dict[str, object] = {"role": "assistant", "content": content}
    finish = "stop"
    if fault == "empty":
        message["content"] = ""
    elif fault == "null":
        message["content"] = None
    elif fault == "reasoning":
        message |= {"content": None, "reasoning_content": "Let me think about the picture."}
    elif fault in {"length", "MAX_TOKENS"}:
        message["content"] = f"{content} It was cut in the mid"
        finish = fault
    elif fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "filter":
        finish = "content_filter"
    elif fault == "tool":
        message |= {"content": None, "tool_calls": [{"id": "1", "type": "function"}]}
    elif fault == "parts":
        message["content"] = [{"type": "text", "text": content}]
    return orjson.dumps(
        {
            "id": "chatcmpl-test",
            "object": "chat.completion",
            "model": "test-model-2026",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
            "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
        }
    )


def web_page(status: int) -> web.Response:
    """The error of a proxy."""
    page = f"<html><body><h1>{status}</h1><hr>nginx</body></html>"
    return web.Response(status=status, text=page, content_type="text/html")


def error(status: int, message: str, headers: dict[str, str] | None = None, code: str = "") -> web.Response:
    data = {"error": {"message": message, "type": "test", "code": code or None}}
    return web.json_response(data, status=status, headers=headers)


async def serve(options: argparse.Namespace) -> None:
    endpoint = Endpoint(options)
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/chat/completions", endpoint.chat)
    app.router.add_get("/v1/models", endpoint.models)
    app.router.add_get("/stats", endpoint.stats)
    app.router.add_get("/last", endpoint.last_request)
    app.router.add_post("/configure", endpoint.reconfigure)
    await on_a_port(app, port=options.port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--slots", type=int, default=64)
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=SHARE")
    parser.add_argument("--retry-after", type=float, default=1)
    parser.add_argument("--rate", type=float, default=0, help="requests a second; more get a 429")
    parser.add_argument("--burst", type=float, default=10, help="requests at once, where there is a rate")
    parser.add_argument("--openai-headers", action="store_true", help="x-ratelimit-* instead of Retry-After")
    parser.add_argument("--max-in-flight", type=int, default=0, help="more get a 429")
    parser.add_argument("--queue-timeout", type=float, default=0, help="seconds in line, before a 504")
    parser.add_argument("--key", default="")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--fast", action="store_true", help="do not look into the requests")
    uvloop.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
