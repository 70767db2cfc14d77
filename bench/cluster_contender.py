"""A way of captioning a folder of pictures on a Ray cluster with Ray Data, in a process of its own.

python bench/cluster_contender.py NAME PICTURES OUT.jsonl --endpoint URL --address HOST:PORT
"""

from __future__ import annotations

import argparse
import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

ACTORS = 2
IN_FLIGHT = 64
PROMPT = "Describe this image in detail."


def body(path: str) -> dict[str, Any]:
    """A request of OpenAI's chat completions."""
    url = "data:image/jpeg;base64," + base64.b64encode(Path(path).read_bytes()).decode()
    content = [{"type": "text", "text": PROMPT}, {"type": "image_url", "image_url": {"url": url}}]
    return {"model": "test", "max_tokens": 300, "messages": [{"role": "user", "content": content}]}


def processor(dataset: Any, endpoint: str, batch_size: int) -> Any:
    """Ray Data's HTTP request processor, as its documentation shows it; retries switched on."""
    from ray.data.llm import HttpRequestProcessorConfig, build_processor

    config = HttpRequestProcessorConfig(
        url=f"{endpoint}/chat/completions",
        headers={"Authorization": "Bearer none"},
        batch_size=batch_size,
        concurrency=ACTORS,
        max_retries=5,
    )
    made = build_processor(
        config,
        preprocess=lambda row: {"payload": body(row["path"]), "path": row["path"]},
        postprocess=lambda row: {
            "path": row["path"],
            "caption": row["http_response"]["choices"][0]["message"]["content"],
        },
    )
    return made(dataset)


class Client:
    """What one writes by hand: an aiohttp session, a batch of requests at once, no retries."""

    def __init__(self, endpoint: str) -> None:
        self._url = f"{endpoint}/chat/completions"

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        import asyncio

        import aiohttp

        async def one(session: aiohttp.ClientSession, path: str) -> str:
            async with session.post(self._url, json=body(path)) as response:
                return (await response.json())["choices"][0]["message"]["content"]

        async def all_of_them() -> list[str]:
            connector = aiohttp.TCPConnector(limit=IN_FLIGHT // ACTORS)
            async with aiohttp.ClientSession(connector=connector) as session:
                return await asyncio.gather(*(one(session, path) for path in batch["path"]))

        return {"path": batch["path"], "caption": asyncio.run(all_of_them())}


def by_hand(dataset: Any, endpoint: str) -> Any:
    return dataset.map_batches(
        Client, fn_constructor_kwargs={"endpoint": endpoint}, batch_size=256, compute=_actors()
    )


def captioner(dataset: Any, endpoint: str) -> Any:
    """Our own class within a dataset, with half of the requests for each of the two actors."""
    import cutline.ray

    options = {
        "model": "test",
        "endpoint": endpoint,
        "column": "path",
        "max_concurrent_requests": IN_FLIGHT // ACTORS,
    }
    return dataset.map_batches(
        cutline.ray.Captioner, fn_constructor_kwargs=options, batch_size=256, compute=_actors()
    )


def _actors() -> Any:
    from ray.data import ActorPoolStrategy

    return ActorPoolStrategy(size=ACTORS)


CONTENDERS: dict[str, Callable[[Any, str], Any]] = {
    "processor": lambda dataset, endpoint: processor(dataset, endpoint, 64),
    "processor-8": lambda dataset, endpoint: processor(dataset, endpoint, 8),
    "by-hand": by_hand,
    "captioner": captioner,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--address", required=True)
    options = parser.parse_args()
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}
    import ray

    # The actors find this module, and the code that is measured, where this process does.
    modules = {"PYTHONPATH": os.pathsep.join((str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")))}
    ray.init(
        address=options.address,
        log_to_driver=False,
        logging_level="ERROR",
        runtime_env={"env_vars": modules},
    )
    rows = [{"path": str(path)} for path in sorted(options.pictures.iterdir())]
    made = CONTENDERS[options.name](ray.data.from_items(rows), options.endpoint)
    with options.out.open("w", encoding="utf-8") as file:
        for row in made.iter_rows():
            file.write(json.dumps({"path": row["path"], "caption": row["caption"]}) + "\n")


if __name__ == "__main__":
    main()
