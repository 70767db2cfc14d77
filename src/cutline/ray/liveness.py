"""Detect within seconds whether a Ray process on another machine still responds.

Ray itself notices an unreachable machine after about a minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")
PATIENCE = 5.0
# What a client of HTTP/2 sends first, with empty settings (RFC 9113, 3.4). A server sends its own at once.
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4" + b"\0" * 5


async def responds(address: str) -> bool:
    """Whether the gRPC server at HOST:PORT sends anything within ``PATIENCE`` seconds.

    Accepted connections prove nothing: the kernel accepts them also for a stopped process.
    """
    host, _, port = address.rpartition(":")
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
            writer.write(_PREFACE)
            await writer.drain()
            await reader.read(1)
    except ConnectionResetError:
        return True  # by a server that expects TLS
    except (OSError, ValueError):
        return False
    finally:
        if writer is not None:
            with contextlib.suppress(OSError):
                writer.close()
    return True


async def detached(call: Callable[[], _T]) -> _T:
    """Await a blocking call of Ray in a daemon thread, which does not delay the exit of the process.

    Calls that need the head node block for a minute when it is unreachable.
    """
    loop, future = asyncio.get_running_loop(), asyncio.get_running_loop().create_future()

    def set_result(result: _T | None, error: Exception | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    def run() -> None:
        result: _T | None = None
        caught: Exception | None = None
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - whoever waits gets it
            caught = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(set_result, result, caught)

    threading.Thread(target=run, daemon=True, name="cutline-ray").start()
    value: _T = await future
    return value
