"""Waiting for models that take long to load, and no longer than the user does."""

from __future__ import annotations

import asyncio

from cutline.chain import Chain
from cutline.engine.cancellation import Stop
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.stage_runner import StageRunner


async def open_or_stop(part: Chain | StageRunner, progress: ProgressHook, stop: Stop) -> None:
    """Load the models, telling ``progress`` what is waited for, until that is done or the run is stopped."""
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        loop.call_soon_threadsafe(progress, Progress(waiting_for=line))

    opening, stopping = asyncio.create_task(part.open(say)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if opening.done():
            opening.result()
    finally:
        for task in (opening, stopping):
            task.cancel()
        await asyncio.gather(opening, stopping, return_exceptions=True)
