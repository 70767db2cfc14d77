"""Shutdown signals as soon as they come: the server waits for open responses before its lifespan ends."""

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
def on_shutdown_signal(callback: Callable[[], None]) -> Iterator[None]:
    """Call ``callback`` in the running event loop on SIGINT and SIGTERM, and then the server's own handlers.

    Does nothing outside the main thread, which alone can handle signals.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    previous: dict[int, Any] = {}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(callback)
        previous[number](number, frame)

    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            previous[number] = handler
            signal.signal(number, handle)
    try:
        yield
    finally:
        for replaced, handler in previous.items():
            if signal.getsignal(replaced) is handle:
                signal.signal(replaced, handler)


def end_with_parent() -> None:
    """Have this worker end as on SIGTERM once its supervisor is gone, however that ended.

    Otherwise it would hold the port and continue its jobs. Does nothing in a process without a supervisor.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="cutline-parent", daemon=True).start()
