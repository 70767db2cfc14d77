"""The service for a long time: every answer belongs to its picture, and nothing is used up.

The short forms are part of the tests; `make soak` runs the long ones. CUTLINE_SOAK_SECONDS makes those shorter.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from pathlib import Path

import psutil
import pytest
from crowd import ALL, EXACT, Crowd
from serving import Service

from processes import wait_until
from server_process import Server

LONG = pytest.mark.soak, pytest.mark.timeout(7200)


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

        Connections to the endpoint do not count: they are kept for a while.
        """
        found, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            kept = [
                one
                for one in self._process.net_connections()
                if one.raddr and one.raddr.port == self._endpoint
            ]
            found.append(self._process.num_fds() - len(kept))
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
            assert stats == {"requests": crowd.pictures, "twice": 0}
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
            assert last < first * (1.05 if is_long else 1.3)
            assert left <= files
            assert lying_now == lying
            assert endpoint.get("/stats")["twice"] == 0
            assert number(service, "cutline_held_bytes") == number(service, "cutline_waiting_requests") == 0
            assert "Traceback" not in service.log
