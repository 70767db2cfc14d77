"""How a folder is usually captioned: the OpenAI SDK, Pillow, and a gather behind a semaphore.

python bench/usual.py PICTURES OUT.jsonl --endpoint http://127.0.0.1:8000/v1
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import io
import json
from pathlib import Path

from openai import AsyncOpenAI
from PIL import Image

PROMPT = "Describe this image in detail."


def data_url(path: Path, max_side: int) -> str:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


async def caption(
    client: AsyncOpenAI, semaphore: asyncio.Semaphore, path: Path, max_side: int
) -> dict[str, str | None]:
    async with semaphore:
        url = await asyncio.to_thread(data_url, path, max_side)
        completion = await client.chat.completions.create(
            model="test",
            max_tokens=512,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": url}},
                        {"type": "text", "text": PROMPT},
                    ],
                }
            ],
        )
    return {"path": str(path), "caption": completion.choices[0].message.content}


async def run(options: argparse.Namespace) -> None:
    client = AsyncOpenAI(base_url=options.endpoint, api_key="none")
    semaphore = asyncio.Semaphore(options.concurrency)
    paths = sorted(Path(options.folder).iterdir())
    rows = await asyncio.gather(*(caption(client, semaphore, path, options.max_side) for path in paths))
    with Path(options.out).open("w") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("out")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--concurrency", type=int, default=64)
    parser.add_argument("--max-side", type=int, default=1024)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
