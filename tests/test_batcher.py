"""Calls from everywhere become batches, and only the call that cannot be answered fails."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from cutline.batcher import Batcher, OutOfMemory, in_background
from cutline.errors import SampleError


class Clock:
    """Shows the time that the batches are said to take, whatever else the machine does."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


async def results(batching: Batcher[int, int], items: list[int]) -> list[int | BaseException]:
    return list(await asyncio.gather(*map(batching.submit, items), return_exceptions=True))


def closing(batching: Batcher[int, int], items: list[int]) -> list[int | BaseException]:
    try:
        return asyncio.run(results(batching, items))
    finally:
        batching.close()


def test_every_call_gets_its_own_result() -> None:
    sizes: list[int] = []

    def run(items: list[int]) -> list[int]:
        sizes.append(len(items))
        time.sleep(0.002)
        return [item * 2 for item in items]

    assert closing(Batcher([run], size=8), list(range(200))) == [item * 2 for item in range(200)]
    assert max(sizes) == 8
    assert len(sizes) < 60, "calls that wait are gathered"


def test_a_batch_that_fails_costs_only_the_one_to_blame() -> None:
    def run(items: list[int]) -> list[int]:
        if 13 in items:
            raise ValueError("thirteen")
        return items

    outcomes = closing(Batcher([run], size=16), list(range(40)))
    assert isinstance(outcomes.pop(13), ValueError)
    assert outcomes == [item for item in range(40) if item != 13]


def test_memory_that_is_used_up_makes_batches_smaller_and_loses_none() -> None:
    sizes: list[int] = []

    def run(items: list[int]) -> list[int]:
        sizes.append(len(items))
        if len(items) > 3:
            raise OutOfMemory
        return items

    assert closing(Batcher([run], size=16), list(range(64))) == list(range(64))
    assert sizes.count(16) == 1, "what did not fit once is not tried again"
    assert max(sizes[-5:]) <= 3


def test_an_item_that_never_fits() -> None:
    def run(items: list[int]) -> list[int]:
        if 5 in items:
            raise OutOfMemory
        return items

    outcomes = closing(Batcher([run], size=4), list(range(12)))
    failed = outcomes.pop(5)
    assert isinstance(failed, SampleError)
    assert failed.kind == "out-of-memory"
    assert len([outcome for outcome in outcomes if isinstance(outcome, int)]) == 11


def test_batches_grow_while_that_is_faster() -> None:
    def run(items: list[int]) -> list[int]:
        clock.now += 0.01 + 0.001 * max(0, len(items) - 16)  # up to sixteen cost as much as one
        return items

    clock = Clock()
    batching = Batcher([run], max_size=64, clock=clock)
    assert closing(batching, list(range(600))) == list(range(600))
    assert batching.sizes[0] >= 16


def test_a_batch_that_something_else_held_up_does_not_end_the_growing() -> None:
    seen: set[int] = set()

    def run(items: list[int]) -> list[int]:
        # The first batch of each size above one takes five times as long as the others.
        clock.now += 0.02 if len(items) in seen or len(items) == 1 else 0.1
        seen.add(len(items))
        return items

    clock = Clock()
    batching = Batcher([run], max_size=16, clock=clock)
    assert closing(batching, list(range(400))) == list(range(400))
    assert batching.sizes == [16]


def test_a_batch_is_waited_for_where_calls_come_one_by_one() -> None:
    sizes: list[int] = []

    def run(items: list[int]) -> list[int]:
        sizes.append(len(items))
        clock.now += 10.0  # a call may wait half a second for others then
        return items

    clock = Clock()

    async def trickle() -> None:
        batching = Batcher([run], size=8, clock=clock)
        calls = [asyncio.create_task(batching.submit(0))]
        await calls[0]
        for number in range(8):
            calls.append(asyncio.create_task(batching.submit(number)))
            await asyncio.sleep(0.001)
        await asyncio.gather(*calls)
        batching.close()

    asyncio.run(trickle())
    assert sizes == [1, 8]


def test_batches_stay_small_where_size_does_not_help() -> None:
    def run(items: list[int]) -> list[int]:
        clock.now += 0.005 * len(items)
        return items

    clock = Clock()
    batching = Batcher([run], max_size=64, clock=clock)
    assert closing(batching, list(range(100))) == list(range(100))
    assert batching.sizes[0] <= 4


def test_several_replicas_share_the_calls() -> None:
    who: set[str] = set()

    def run(items: list[int]) -> list[int]:
        who.add(threading.current_thread().name)
        time.sleep(0.005)
        return items

    assert closing(Batcher([run, run, run], size=2), list(range(60))) == list(range(60))
    assert len(who) == 3


def test_a_run_that_hangs_is_given_up() -> None:
    hanging = threading.Event()

    def run(items: list[int]) -> list[int]:
        hanging.wait(500)
        return items

    async def ask() -> float:
        batching: Batcher[int, int] = Batcher([run], size=2)
        start = time.monotonic()
        with pytest.raises(TimeoutError):
            await batching.submit(1, seconds=0.2)
        batching.close()
        return time.monotonic() - start

    assert asyncio.run(ask()) < 60
    hanging.set()


def test_waiting_for_others_counts_as_no_time() -> None:
    def run(items: list[int]) -> list[int]:
        time.sleep(0.02)
        return items

    async def ask() -> list[int]:
        batching: Batcher[int, int] = Batcher([run], size=1)
        try:
            return await asyncio.gather(*(batching.submit(item, seconds=1) for item in range(100)))
        finally:
            batching.close()

    assert asyncio.run(ask()) == list(range(100))


def test_closing_ends_who_waits() -> None:
    started = threading.Event()

    def run(items: list[int]) -> list[int]:
        started.set()
        time.sleep(0.2)
        return items

    async def ask() -> list[int | BaseException]:
        batching: Batcher[int, int] = Batcher([run], size=1)
        calls = asyncio.gather(*map(batching.submit, range(5)), return_exceptions=True)
        await asyncio.to_thread(started.wait)
        batching.close()
        return list(await calls)

    outcomes = asyncio.run(ask())
    assert 0 in outcomes, "what is under way is answered"
    assert all(isinstance(outcome, int | asyncio.CancelledError) for outcome in outcomes)


async def test_what_the_background_raises_is_raised_here() -> None:
    with pytest.raises(KeyError):
        await in_background(lambda: {}["nothing"])


def test_a_program_ends_though_a_batch_goes_on() -> None:
    code = (
        "import asyncio, time\n"
        "from cutline.batcher import Batcher\n"
        "async def main():\n"
        "    batching = Batcher([lambda items: time.sleep(600) or items], size=1)\n"
        "    try:\n"
        "        await asyncio.wait_for(batching.submit(1), 0.2)\n"
        "    except TimeoutError:\n"
        "        batching.close()\n"
        "asyncio.run(main())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=240, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
