"""Being told at once that the service is to stop: the server waits for open answers before it says so."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any


@contextlib.contextmanager
def told_to_stop(tell: Callable[[], None]) -> Iterator[None]:
    """``tell`` is called in the running event loop when a signal asks the process to end.

    The server's own handlers are called as before. Does nothing outside the main thread, where signals
    are nobody's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(tell)
        before[number](number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            before[number] = handler
            signal.signal(number, handle)
    try:
        yield
    finally:
        for changed, handler in before.items():
            if signal.getsignal(changed) is handle:
                signal.signal(changed, handler)


def end_with_parent() -> None:
    """Have this worker end as on SIGTERM once the process that watches over it is gone, however it went.

    Else it would hold the port, and go on with jobs that nobody can stop. Does nothing in a process that
    no other one started.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="cutline-parent", daemon=True).start()
