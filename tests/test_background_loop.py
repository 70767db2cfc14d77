"""Coroutines run from plain code: results, errors, interrupts and forks."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pytest

from cutline.background_loop import BackgroundLoop


@pytest.fixture
def loop():
    made = BackgroundLoop("test")
    yield made
    made.close()
    assert not made.is_alive
    made.close()


async def double(value):
    await asyncio.sleep(0)
    if value is None:
        raise LookupError("nothing to double")
    return 2 * value


def test_results_and_errors_reach_the_caller(loop):
    assert loop.run(double(2)) == 4
    with pytest.raises(LookupError, match="nothing"):
        loop.run(double(None))
    results = []
    threads = [threading.Thread(target=lambda n=n: results.append(loop.run(double(n)))) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [2 * n for n in range(20)]


async def test_it_serves_other_loops_and_their_cancellation(loop):
    assert await loop.arun(double(2)) == 4
    ended = threading.Event()

    async def endless():
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await loop.arun(endless())
    assert await asyncio.to_thread(ended.wait, 10)


@pytest.fixture
def _interruptible():
    """Ctrl-C as at a terminal, also where the tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_an_interrupted_wait_ends_the_work_first(loop):
    ended = []

    async def cleaning_up():
        os.kill(os.getpid(), signal.SIGINT)
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.1)
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        loop.run(cleaning_up())
    assert ended == [True]
    assert loop.run(double(1)) == 2


def test_a_forked_process_knows_that_the_thread_is_gone(loop):
    loop.run(double(1))
    child = os.fork()
    if child == 0:
        os._exit(int(loop.is_alive))
    assert os.waitpid(child, 0)[1] == 0
    assert loop.is_alive
