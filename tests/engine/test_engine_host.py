"""What a run leaves of the event loop and the process that it runs in."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import cutline


class CountingExecutor(ThreadPoolExecutor):
    """Counts what is submitted to it."""

    submitted = 0

    def submit(self, *args, **kwargs):
        self.submitted += 1
        return super().submit(*args, **kwargs)


async def test_the_loops_default_executor_is_left_alone(pictures, tmp_path):
    """Neither replaced nor used, whatever the captioner, the check of an output and the way to it."""
    own = CountingExecutor(1, thread_name_prefix="host")
    asyncio.get_running_loop().set_default_executor(own)
    folder = pictures(4)
    for model in ("pixels", "fake"):
        assert len(await cutline.acaption(folder, tmp_path / f"{model}.parquet", model=model)) == 4
    assert own.submitted == 0
    assert (await asyncio.to_thread(threading.current_thread)).name.startswith("host")


async def test_the_default_executor_stays_after_a_run_that_was_cancelled(pictures, tmp_path):
    own = CountingExecutor(1, thread_name_prefix="host")
    asyncio.get_running_loop().set_default_executor(own)
    task = asyncio.create_task(cutline.acaption(pictures(4), tmp_path / "out.jsonl", model="fake:latency=30"))
    await asyncio.sleep(0.3)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert (await asyncio.to_thread(threading.current_thread)).name.startswith("host")


async def test_the_threads_of_a_run_end_with_it(pictures):
    before = set(threading.enumerate())
    await cutline.acaption(pictures(4), model="fake")
    deadline = time.monotonic() + 60
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)
