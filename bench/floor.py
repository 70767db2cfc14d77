"""The least that captioning a folder or a list of URLs can cost: what one writes by hand for one job.

    python bench/floor.py PICTURES OUT.jsonl --endpoint http://127.0.0.1:8000/v1

Nothing but the work: it keeps no journal, repeats no request, checks no answer and knows only JPEG.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import aiohttp
import numpy as np
import orjson
import pybase64
import simplejpeg
from PIL import Image

PROMPT = "Describe this image in detail."
HEAD, TAIL = orjson.dumps(
    {
        "model": "test",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,@"}},
                    {"type": "text", "text": PROMPT},
                ],
            }
        ],
        "max_tokens": 512,
    }
).split(b"@")


def size_of(data: bytes) -> tuple[int, int]:
    """Width and height by the frame header of a JPEG."""
    at = 2
    while True:
        marker, length = data[at + 1], data[at + 2] << 8 | data[at + 3]
        if 0xC0 <= marker <= 0xC2:
            return data[at + 7] << 8 | data[at + 8], data[at + 5] << 8 | data[at + 6]
        at += 2 + length


def shrink(data: bytes, width: int, height: int, side: int) -> bytes:
    scale = side / max(width, height)
    target = round(width * scale), round(height * scale)
    pixels = simplejpeg.decode_jpeg(data, min_width=target[0], min_height=target[1], min_factor=1)
    image = Image.fromarray(pixels)
    if image.size != target:
        image = image.resize(target, Image.Resampling.HAMMING, reducing_gap=2.0)
    return simplejpeg.encode_jpeg(np.asarray(image), quality=85, colorsubsampling="420")


def places(source: str) -> Iterator[str]:
    if os.path.isdir(source):  # noqa: PTH112 - the cheapest way
        with os.scandir(source) as entries:
            yield from (entry.path for entry in entries)
    else:
        with open(source) as file:  # noqa: PTH123
            yield from (line.strip() for line in file)


class Floor:
    def __init__(self, options: argparse.Namespace, session: aiohttp.ClientSession, out) -> None:
        self.options = options
        self.session = session
        self.out = out
        self.url = options.endpoint + "/chat/completions"
        self.places = places(options.source)
        self.threads = ThreadPoolExecutor(os.cpu_count())

    async def work(self) -> None:
        loop = asyncio.get_running_loop()
        for place in self.places:
            if place.startswith("http"):
                async with self.session.get(place) as response:
                    data = await response.read()
            else:
                with open(place, "rb", buffering=0) as file:  # noqa: PTH123
                    data = file.read()
            width, height = size_of(data)
            if max(width, height) > self.options.max_side:
                data = await loop.run_in_executor(
                    self.threads, shrink, data, width, height, self.options.max_side
                )
            body = b"".join((HEAD, pybase64.b64encode(data), TAIL))
            async with self.session.post(self.url, data=body) as response:
                answer = orjson.loads(await response.read())
            row = {"path": place, "caption": answer["choices"][0]["message"]["content"]}
            self.out.write(orjson.dumps(row) + b"\n")


async def run(options: argparse.Namespace) -> None:
    connector = aiohttp.TCPConnector(limit=0)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"Content-Type": "application/json"},
    )
    with open(options.out, "wb") as out:  # noqa: PTH123
        async with session:
            floor = Floor(options, session, out)
            await asyncio.gather(*(floor.work() for _ in range(options.concurrency)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("out")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--max-side", type=int, default=1024)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
