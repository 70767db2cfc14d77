"""Many clients of one service, who send pictures in colours of their own and know what the answer must be.

What comes must be right, or a refusal that says when to come again; anything else fails the test at once.
"""

from __future__ import annotations

import asyncio
import base64
import collections
import io
import itertools
import json
import random
import re
import time
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from PIL import Image

TOLERANCE = 8  # of a colour's parts, after a picture was scaled and written again as JPEG


def colour_of(number: int) -> tuple[int, int, int]:
    """Neighbours are far apart, and no two of 16 million numbers share one."""
    mixed = number * 0x9E3779B1 & 0xFFFFFF
    return mixed >> 16, mixed >> 8 & 0xFF, mixed & 0xFF


def picture_of(number: int, size: tuple[int, int] = (16, 16)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour_of(number)).save(out, "PNG")
    return out.getvalue()


class Crowd:
    """``got`` counts answers by what was asked for and the status that came.

    ``pictures`` were captioned for somebody; ``left`` is how many requests nobody waited for.
    """

    def __init__(self, url: str, *, pace: float = 0.0) -> None:
        self._url = url
        self._pace = pace
        self._numbers = itertools.count(1)
        self._dice = random.Random(27)
        self.got: collections.Counter[tuple[str, int]] = collections.Counter()
        self.pictures = self.left = 0

    @property
    def refused(self) -> int:
        return sum(count for (_, status), count in self.got.items() if status in {429, 503})

    def captioned(self, *wishes: str) -> int:
        return sum(self.got[wish, status] for wish in wishes for status in (200, 202))

    async def come(self, clients: int, seconds: float, does: Sequence[Callable[[Crowd], Awaitable[None]]]):
        """That many clients, each of whom asks for one thing after the other."""
        end = time.monotonic() + seconds
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=120)
        async with aiohttp.ClientSession(self._url, connector=connector, timeout=timeout) as self._session:

            async def one() -> None:
                await asyncio.sleep(self._dice.random() * min(1.0, seconds / 10))
                while time.monotonic() < end:
                    await self._dice.choice(does)(self)
                    await asyncio.sleep(self._pace * self._dice.uniform(0.5, 1.5))

            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(one())

    # What a client can do

    async def upload(self) -> None:
        number, body = await self._ask(
            "upload", "/caption", lambda number: {"data": _form("image", [number])}
        )
        self._check(body, number, f"{number}.png")

    async def inline(self) -> None:
        def body_of(number: int) -> dict[str, object]:
            return {"json": {"image_base64": base64.b64encode(picture_of(number)).decode()}}

        number, body = await self._ask("inline", "/caption", body_of)
        self._check(body, number)

    async def large(self) -> None:
        """A picture that has to be decoded and scaled before the model gets it."""

        def body_of(number: int) -> dict[str, object]:
            return {"data": _form("image", [number], (1600, 1200))}

        number, body = await self._ask("large", "/caption", body_of)
        self._check(body, number, tolerance=TOLERANCE)

    async def batch(self) -> None:
        count = 5
        number, body = await self._ask(
            "batch", "/batch-caption", lambda first: {"data": _form("images", range(first, first + count))}, count
        )  # fmt: skip
        assert len(body) == count
        for place, one in enumerate(body):
            self._check(one, number + place, f"{number + place}.png")

    async def chat(self) -> None:
        number, body = await self._ask("chat", "/v1/chat/completions", _completion)
        self._check({"caption": body["choices"][0]["message"]["content"]}, number)

    async def stream(self) -> None:
        def body_of(number: int) -> dict[str, object]:
            return {"json": _completion(number)["json"] | {"stream": True}}

        number, text = await self._ask("stream", "/v1/chat/completions", body_of)
        lines = [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]
        assert lines.pop() == "[DONE]"
        said = "".join(json.loads(line)["choices"][0]["delta"].get("content", "") for line in lines)
        self._check({"caption": said}, number)

    async def job(self) -> None:
        """A job that is watched to its end, by its events or by asking now and then."""
        count = 4
        number, task = await self._ask(
            "job",
            "/async-batch-caption",
            lambda first: {
                "data": _form("images", range(first, first + count)),
                "headers": {"Idempotency-Key": f"job-{first}"},
            },
            count,
        )
        if self._dice.random() < 0.5:
            async with self._session.get(f"/task/{task['task_id']}/events") as events:
                assert "event: end" in await events.text()
        while (state := await self._json(f"/task-status/{task['task_id']}"))["status"] in {
            "queued", "in_progress",
        }:  # fmt: skip
            await asyncio.sleep(0.3)
        assert state["status"] == "completed", state
        assert [one["index"] for one in state["results"]] == list(range(count))
        for place, one in enumerate(state["results"]):
            self._check(one, number + place, f"{number + place}.png")

    async def broken(self) -> None:
        """What is not a picture."""
        data = aiohttp.FormData()
        data.add_field("image", picture_of(1)[:40], filename="broken.png")
        async with self._session.post("/caption", data=data) as answer:
            assert answer.status in {415, 503}, await answer.text()
            self.got["broken", answer.status] += 1

    async def leave(self) -> None:
        """Go away while the picture is sent or asked about."""
        number = next(self._numbers)
        self.left += 1
        try:
            async with asyncio.timeout(self._dice.random() * 0.06):
                await self._session.post("/caption", data=_form("image", [number]))
        except TimeoutError:
            pass

    # How it is asked and looked at

    async def _ask(self, wish, path, body_of, count=1):
        """The first number of the pictures and the answer; comes again as often as it is told to."""
        number = next(self._numbers)
        for _ in range(count - 1):
            next(self._numbers)
        while True:
            async with self._session.post(path, **body_of(number)) as answer:
                self.got[wish, answer.status] += 1
                text = await answer.text()
                if answer.status in {200, 202}:
                    is_json = answer.content_type == "application/json"
                    return number, json.loads(text) if is_json else text
                assert answer.status in {429, 503}, (answer.status, text)
                assert int(answer.headers["Retry-After"]) >= 1
            # Sooner than was asked for: what is tried is an overload.
            await asyncio.sleep(self._dice.uniform(0.2, 1.0))

    async def _json(self, path):
        async with self._session.get(path) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    def _check(self, body, number, name=None, tolerance=0) -> None:
        found = re.search(r"#([0-9a-f]{6})", body["caption"] or "")
        assert found, body
        said = bytes.fromhex(found[1])
        off = max(abs(one - other) for one, other in zip(said, colour_of(number), strict=True))
        assert off <= tolerance, f"picture {number} is {colour_of(number)}, and the answer is {body}"
        assert name is None or body["image_path"] == name
        self.pictures += 1


def _form(field, numbers, size=(16, 16)):
    form = aiohttp.FormData()
    for number in numbers:
        form.add_field(field, picture_of(number, size), filename=f"{number}.png", content_type="image/png")
    return form


def _completion(number):
    url = f"data:image/png;base64,{base64.b64encode(picture_of(number)).decode()}"
    parts = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Which colour?"}]
    return {"json": {"model": "colours", "messages": [{"role": "user", "content": parts}]}}


ALL = (
    Crowd.upload, Crowd.inline, Crowd.large, Crowd.batch, Crowd.chat, Crowd.stream, Crowd.job,
    Crowd.broken, Crowd.leave,
)  # fmt: skip
EXACT = (Crowd.upload, Crowd.upload, Crowd.inline, Crowd.batch, Crowd.chat, Crowd.stream, Crowd.job)
"""What is answered once for each picture, and by nobody given up."""
