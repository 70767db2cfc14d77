"""Calls that wait become batches, and a program may end while one is under way."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from cutline.encoders.batching import Batching, in_background


async def test_what_waits_is_gathered_while_a_batch_runs():
    sizes = []

    def work(items):
        sizes.append(len(items))
        time.sleep(0.02)
        return [item * 2 for item in items]

    batching = Batching(work, most=4)
    assert await asyncio.gather(*(batching(number) for number in range(10))) == [2 * n for n in range(10)]
    assert sizes == [4, 4, 2]


async def test_only_the_item_at_fault_fails():
    def work(items):
        if 3 in items:
            raise ValueError("three")
        return items

    results = await asyncio.gather(*map(Batching(work, most=8), range(6)), return_exceptions=True)
    assert [isinstance(result, ValueError) for result in results] == [n == 3 for n in range(6)]


async def test_one_batch_runs_at_a_time():
    running, most = 0, 0
    lock = threading.Lock()

    def work(items):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1
        return items

    batching = Batching(work, most=2)
    await asyncio.gather(*map(batching, range(9)))
    assert most == 1


async def test_closing_gives_up_what_waits():
    started = threading.Event()

    def work(items):
        started.set()
        time.sleep(0.2)
        return items

    batching = Batching(work, most=1)
    calls = [asyncio.create_task(batching(number)) for number in range(3)]
    await asyncio.to_thread(started.wait)
    batching.close()
    done, waiting = await asyncio.wait(calls, timeout=1)
    assert sum(call.cancelled() for call in done) >= 2
    for call in waiting:
        call.cancel()


async def test_what_the_background_raises_is_raised_here():
    with pytest.raises(KeyError):
        await in_background(lambda: {}["nothing"])


def test_a_program_ends_though_a_batch_goes_on():
    code = (
        "import asyncio, time\n"
        "from cutline.encoders.batching import Batching\n"
        "async def main():\n"
        "    batching = Batching(lambda items: time.sleep(60) or items, most=1)\n"
        "    try:\n"
        "        await asyncio.wait_for(batching(1), 0.2)\n"
        "    except TimeoutError:\n"
        "        batching.close()\n"
        "asyncio.run(main())\n"
    )
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert time.monotonic() - start < 30
