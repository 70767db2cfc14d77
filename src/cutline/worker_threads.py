"""Threads for the blocking work of one run, apart from the default executor of the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from cutline.processors import usable_processors

_P = ParamSpec("_P")
_T = TypeVar("_T")


class _Threads:
    """``executor`` is None once the run has ended, for tasks that outlive it."""

    def __init__(self, executor: Executor) -> None:
        self.executor: Executor | None = executor


_current: contextvars.ContextVar[_Threads | None] = contextvars.ContextVar("worker_threads", default=None)


@contextlib.contextmanager
def worker_threads() -> Iterator[None]:
    """Give ``in_thread`` an executor of its own, in this task and in those it starts."""
    executor = ThreadPoolExecutor(usable_processors() + 2, thread_name_prefix="cutline")
    outer, threads = _current.get(), _Threads(executor)
    _current.set(threads)
    try:
        yield
    finally:
        _current.set(outer)
        threads.executor = None
        executor.shutdown(wait=False, cancel_futures=True)


def in_thread(function: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> asyncio.Future[_T]:
    """Like ``asyncio.to_thread``, on the current run's executor; outside of a run on the loop's default."""
    threads = _current.get()
    call = functools.partial(contextvars.copy_context().run, function, *args, **kwargs)
    return asyncio.get_running_loop().run_in_executor(threads.executor if threads else None, call)
