"""Measure the service against the endpoint it asks, the pipeline, and its own queue.

    python bench/service.py [--quick] [--only endpoint local queue]

Service, endpoint and clients are processes of their own; contenders take turns. See docs/design/service.md.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "service")]

import aiohttp  # noqa: E402
import psutil  # noqa: E402
import uvloop  # noqa: E402
from serving import Service, png  # noqa: E402

from processes import Endpoint  # noqa: E402

CLIENTS, SLOTS, LATENCY = 64, 64, 0.2
SETTLING = 1.0  # seconds of each run that are not counted


async def load(url: str, kind: str, clients: int, seconds: float) -> list[tuple[float, float]]:
    """Clients that ask one request after the other; when each answer came, and after how long."""
    answers: list[tuple[float, float]] = []
    data = base64.b64encode(png(1, (256, 192))).decode()
    bodies = {
        "service": {"image_base64": data},
        "direct": {
            "model": "test",
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
                        {"type": "text", "text": "Describe this image in detail."},
                    ],
                }
            ],
        },
    }
    # Made once: what the clients themselves cost is no part of it, and they share the cores.
    body = json.dumps(bodies[kind]).encode()
    headers = {"Content-Type": "application/json"}
    path = {"service": "/caption", "direct": "/v1/chat/completions"}[kind]
    end = time.perf_counter() + seconds

    async def one(session: aiohttp.ClientSession, wait: float) -> None:
        await asyncio.sleep(wait)
        while (began := time.perf_counter()) < end:
            async with session.post(url + path, data=body, headers=headers) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            now = time.perf_counter()
            answers.append((now, now - began))

    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.TaskGroup() as group:
        for number in range(clients):
            # One after the other: clients who know nothing of each other do not go in step.
            group.create_task(one(session, LATENCY * number / clients))
    return answers


def apart(url: str, kind: str, clients: int, seconds: float) -> tuple[float, float]:
    """The load from a process of its own: answers a second, and the median time of one in seconds."""
    arguments = ["--load", url, kind, str(clients), str(seconds)]
    ran = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    rate, median = json.loads(ran.stdout)
    return rate, median


def print_load(url: str, kind: str, clients: str, seconds: str) -> None:
    began = time.perf_counter()
    answers = uvloop.run(load(url, kind, int(clients), float(seconds)))
    # While all clients ask: without the second in which they begin, and the one in which they end.
    start, end = began + SETTLING, began + float(seconds)
    count = sum(start < when <= end for when, _ in answers)
    print(json.dumps([count / (end - start), statistics.median(took for _, took in answers)]))


def endpoint(folder: Path, *, quick: bool) -> None:
    seconds, rounds = (4, 2) if quick else (15, 4)
    ideal = SLOTS / LATENCY
    with Endpoint(slots=SLOTS, latency=LATENCY) as server:
        options = ["--endpoint", server.url, "--model", "test", "--log-level", "warning"]
        with Service(*options, cwd=folder, env={"NO_PROXY": "*"}) as service:
            process = psutil.Process(service.process.pid)
            apart(service.url, "service", CLIENTS, 8)  # finds out how many requests the endpoint takes
            measured: dict[str, list[float]] = {"direct": [], "service": []}
            costs = []
            for _ in range(rounds):
                measured["direct"].append(apart(server.root, "direct", CLIENTS, seconds)[0])
                before = sum(process.cpu_times()[:2])
                measured["service"].append(apart(service.url, "service", CLIENTS, seconds)[0])
                costs.append((sum(process.cpu_times()[:2]) - before) / (measured["service"][-1] * seconds))
            alone: dict[str, list[float]] = {"direct": [], "service": []}
            server.configure(latency=0.02)
            for _ in range(rounds):
                alone["direct"].append(apart(server.root, "direct", 1, seconds / 3)[1])
                alone["service"].append(apart(service.url, "service", 1, seconds / 3)[1])
    middle = {name: statistics.median(rates) for name, rates in measured.items()}
    print(f"endpoint: {CLIENTS} clients, {SLOTS} slots x {LATENCY} s = {ideal:.0f} answers/s at most")
    print(f"  called directly    {middle['direct']:7.1f} answers/s  {middle['direct'] / ideal:6.1%}")
    share = middle["service"] / ideal
    print(f"  through the service{middle['service']:7.1f} answers/s  {share:6.1%} (target 95 %)")
    print(f"  of what is reached directly: {middle['service'] / middle['direct']:.1%}")
    print(f"  the service's own work: {statistics.median(costs) * 1000:.2f} ms of a core a request")
    own = statistics.median(alone["service"]) - statistics.median(alone["direct"])
    print(f"  own overhead, median: {own * 1000:.2f} ms a request (target 3 ms)")


def local(folder: Path, *, quick: bool) -> None:
    model = folder / "model"
    subprocess.run(
        [sys.executable, ROOT / "tests/servers/tiny_model.py", model], check=True, capture_output=True
    )
    few, many = (100, 400) if quick else (200, 1000)
    name = f"hf:{model}"
    pictures = folder / "pictures"
    for count in (few, many):
        place = pictures / str(count)
        place.mkdir(parents=True)
        for number in range(count):
            (place / f"{number}.png").write_bytes(png(number, (256, 192)))
    with Service("--model", name, "--log-level", "warning", cwd=folder) as service:
        apart(service.url, "service", CLIENTS, 5)
        measured: dict[str, list[float]] = {"pipeline": [], "service": [], "one by one": []}
        for number in range(1 if quick else 3):
            taken = [_pipeline(pictures / str(count), folder, name, number) for count in (few, many)]
            measured["pipeline"].append((many - few) / (taken[1] - taken[0]))
            measured["service"].append(apart(service.url, "service", CLIENTS, 10)[0])
            measured["one by one"].append(apart(service.url, "service", 1, 10)[0])
    middle = {name: statistics.median(rates) for name, rates in measured.items()}
    print("local model: a tiny LLaVA with random weights, batched")
    for who, rate in middle.items():
        print(f"  {who:12}{rate:7.1f} pictures/s")
    print(f"  service / pipeline: {middle['service'] / middle['pipeline']:.2f} (target 0.9)")
    print(f"  service / one by one: {middle['service'] / middle['one by one']:.2f} (target 3)")


def _pipeline(pictures: Path, folder: Path, model: str, number: int) -> float:
    """Seconds of the command line for a folder."""
    output = folder / f"out-{pictures.name}-{number}.jsonl"
    began = time.perf_counter()
    command = [sys.executable, "-m", "cutline", "caption", pictures, output, "--model", model]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return time.perf_counter() - began


async def _submit(url: str, count: int) -> list[float]:
    taken: list[float] = []
    left = iter(range(count))
    picture = png(7)

    async def one(session: aiohttp.ClientSession) -> None:
        for _ in left:
            form = aiohttp.FormData()
            form.add_field("images", picture, filename="a.png", content_type="image/png")
            began = time.perf_counter()
            async with session.post(f"{url}/async-batch-caption", data=form) as answer:
                assert answer.status == 202, await answer.text()
                await answer.read()
            taken.append(time.perf_counter() - began)

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(2):
            group.create_task(one(session))
    return taken


def queue(folder: Path, *, quick: bool) -> None:
    count = 1000 if quick else 10_000
    with Service("--model", "fake:latency=1,slots=2", "--log-level", "warning", cwd=folder) as service:
        taken = sorted(asyncio.run(_submit(service.url, count)))
    last = taken[int(0.99 * len(taken))]
    print(f"queue: {count} jobs submitted by 2 clients while the model is busy, SQLite")
    print(f"  median {statistics.median(taken) * 1000:.1f} ms, p99 {last * 1000:.1f} ms (target p99 10 ms)")


PARTS = {"endpoint": endpoint, "local": local, "queue": queue}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="rough figures in a minute or two")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--load", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.load:
        print_load(*options.load)
        return
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} before")
    for name in options.only:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](Path(folder), quick=options.quick)


if __name__ == "__main__":
    main()
