"""The service for a long time: every answer belongs to its picture, and nothing is used up.

The short forms are part of the tests; `make soak` runs the long ones. CUTLINE_SOAK_SECONDS makes those shorter.
"""

from __future__ import annotations

import asyncio
import os
import socket
import statistics
import threading
import time
from pathlib import Path

import aiohttp
import psutil
import pytest
from crowd import ALL, EXACT, Crowd, picture_of
from serving import Service

from processes import wait_until
from server_process import Server

LONG = pytest.mark.soak, pytest.mark.timeout(7200)


SLOW = (
    b"GET /health HTTP/1.1\r\nHost: loc",
    b"POST /caption HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9000\r\n\r\n",
)
"""How slow clients begin."""


def seconds_of(usual: float) -> float:
    return float(os.environ.get("CUTLINE_SOAK_SECONDS", usual))


def number(service: Service, name: str) -> float:
    lines = service.client.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


class Use:
    """What a service holds of the machine: memory while it works, files and connections when it rests."""

    def __init__(self, service: Service, endpoint: Server, temporary: Path) -> None:
        self._process = psutil.Process(service.process.pid)
        self._endpoint = int(endpoint.root.rpartition(":")[2])
        self._folders = temporary, temporary.parent
        self.memory: list[int] = []

    async def watch(self) -> None:
        while True:
            self.memory.append(self._process.memory_info().rss)
            await asyncio.sleep(1)

    def settled(self, seconds: float) -> tuple[int, list[str]]:
        """The fewest open descriptors of that time, in which idle connections are closed, and files that lie about.

        Connections to the endpoint and to the store do not count: they are few, made when needed, and kept.
        """
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            connected = self._process.net_connections()
            kept = sum(bool(one.raddr) and one.raddr.port == self._endpoint for one in connected)
            kept += sum("cutline-jobs.db" in one.path for one in self._process.open_files())
            found.append(self._process.num_fds() - kept)
            time.sleep(0.1)
        lowest = min(found)
        return lowest, sorted(path.name for folder in self._folders for path in folder.iterdir())


def served(tmp_path: Path, endpoint: Server, **limits: object) -> tuple[Service, Path]:
    """A service in front of the endpoint, and the folder for its temporary files."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {"TMPDIR": str(temporary), **{f"CUTLINE_{name}": str(value) for name, value in limits.items()}}
    options = ("--endpoint", endpoint.url, "--model", "colours", "--log-level", "warning")
    return Service(*options, cwd=tmp_path, env=env), temporary


@pytest.mark.parametrize(
    ("clients", "seconds"), [(60, 4), pytest.param(500, 600, marks=LONG, id="500 clients for ten minutes")]
)
def test_no_answer_is_lost_swapped_or_doubled(tmp_path, clients, seconds):
    """More clients than may wait: each gets its own answer once, or is told when to come again."""
    seconds = seconds if clients < 500 else seconds_of(seconds)
    with Server("colours.py", "0.1") as endpoint:
        service, _ = served(tmp_path, endpoint, MAX_WAITING=clients // 3, MAX_QUEUED=clients // 5)
        with service:
            crowd = Crowd(service.url)
            asyncio.run(crowd.come(clients, seconds, EXACT))
            wait_until(lambda: number(service, "cutline_waiting_requests") == 0)
            stats = endpoint.get("/stats")
            print(dict(crowd.got), crowd.pictures, stats)
            assert crowd.pictures > 5 * clients
            assert crowd.refused, "it was no overload"
            assert crowd.got["job", 429], "the queue was never full"
            assert {status for _, status in crowd.got} <= {200, 202, 429, 503}
            assert (stats["requests"], stats["twice"]) == (crowd.pictures, 0)
            assert number(service, 'cutline_pictures_total{outcome="captioned"}') == crowd.pictures
            assert number(service, "cutline_held_bytes") == number(service, "cutline_slots_in_use") == 0
            assert "Traceback" not in service.log


@pytest.mark.parametrize(
    ("clients", "pace", "warm_up", "seconds"),
    [(20, 0.1, 3, 4), pytest.param(24, 0.6, 240, 3600, marks=LONG, id="one hour")],
)
def test_nothing_is_used_up(tmp_path, clients, pace, warm_up, seconds):
    """Everything that clients do, over and over: afterwards memory, descriptors and files are as before."""
    is_long = seconds > 60
    idle = 20 if is_long else 2
    seconds = seconds_of(seconds) if is_long else seconds
    with Server("colours.py", "0.05") as endpoint:
        # Jobs are forgotten after a minute, so that this is tried too.
        service, temporary = served(tmp_path, endpoint, KEEP_DAYS=60 / 86_400)
        with service:
            use = Use(service, endpoint, temporary)
            crowd = Crowd(service.url, pace=pace)
            asyncio.run(crowd.come(clients, warm_up, ALL))
            files, lying = use.settled(idle)

            async def work():
                watching = asyncio.create_task(use.watch())
                await crowd.come(clients, seconds, ALL)
                watching.cancel()

            asyncio.run(work())
            left, lying_now = use.settled(idle + 4)
            window = max(3, len(use.memory) // 20)
            first, last = (statistics.median(part) for part in (use.memory[:window], use.memory[-window:]))
            print(
                f"{crowd.pictures} pictures, memory {first / 1e6:.1f} to {last / 1e6:.1f} MB "
                f"({last / first - 1:+.2%}), at most {max(use.memory) / 1e6:.1f} MB, "
                f"descriptors {files} to {left}, files {lying} to {lying_now}, "
                f"store {sum(path.stat().st_size for path in tmp_path.glob('*.db*')) / 1e6:.1f} MB, "
                f"{crowd.left} left, {dict(crowd.got)}"
            )
            assert last < first * (1.05 if is_long else 1.5), "a short time says little"
            assert left <= files
            assert lying_now == lying
            assert endpoint.get("/stats")["twice"] == 0
            assert number(service, "cutline_held_bytes") == number(service, "cutline_waiting_requests") == 0
            assert "Traceback" not in service.log


def drip(port: int, clients: int, is_over: threading.Event) -> None:
    """Clients that send a byte now and then, in heads and in bodies, and come again when they are given up."""
    connected: list[socket.socket] = []
    while not is_over.is_set():
        for _ in range(clients - len(connected)):
            one = socket.create_connection(("127.0.0.1", port))
            one.sendall(SLOW[len(connected) % len(SLOW)])
            connected.append(one)
        for one in list(connected):
            try:
                one.send(b"a")
            except OSError:
                one.close()
                connected.remove(one)
        is_over.wait(0.5)
    for one in connected:
        one.close()


async def times(url: str, clients: int, seconds: float) -> list[float]:
    """How long well-behaved clients waited, from the quickest to the slowest."""
    taken: list[float] = []
    picture, end = picture_of(1), time.monotonic() + seconds

    async def one(session: aiohttp.ClientSession) -> None:
        while (began := time.monotonic()) < end:
            form = aiohttp.FormData()
            form.add_field("image", picture, filename="a.png")
            async with session.post(f"{url}/caption", data=form) as answer:
                assert answer.status == 200, await answer.text()
                await answer.read()
            taken.append(time.monotonic() - began)

    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(one(session) for _ in range(clients)))
    return sorted(taken)


@pytest.mark.parametrize("seconds", [4, pytest.param(60, marks=LONG, id="a minute")])
def test_two_hundred_slow_clients_leave_the_others_alone(tmp_path, seconds):
    with Service("--model", "fake:latency=0.1", cwd=tmp_path) as service:
        alone = asyncio.run(times(service.url, 8, seconds))
        is_over = threading.Event()
        dripping = threading.Thread(target=drip, args=(service.port, 200, is_over))
        dripping.start()
        try:
            beside = asyncio.run(times(service.url, 8, seconds))
        finally:
            is_over.set()
            dripping.join()
        (before, during) = (found[int(0.99 * len(found))] for found in (alone, beside))
        print(
            f"p99 of {len(alone)}: {before:.3f} s alone, of {len(beside)}: {during:.3f} s beside 200 slow clients"
        )
        assert during < 2 * before
        wait_until(lambda: number(service, "cutline_held_bytes") == 0)


def test_slow_clients_are_given_up(tmp_path):
    """Whether they are slow with their head or with their body."""
    with Service("--model", "fake", cwd=tmp_path) as service:
        slow = [socket.create_connection(("127.0.0.1", service.port), timeout=30) for _ in SLOW]
        began = time.monotonic()
        for one, begun in zip(slow, SLOW, strict=True):
            one.sendall(begun)
        head, body = (one.recv(1000) for one in slow)
        assert head == b"", "it is closed"
        assert b" 408 " in body.splitlines()[0]
        assert 5 < time.monotonic() - began < 25
        for one in slow:
            one.close()
