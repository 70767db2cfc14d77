"""Results of many pictures in their order, of which a loaded model captions some at a time."""

from __future__ import annotations

import asyncio
import collections
import os
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sized
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from cutline.engine.progress import Progress, ProgressHook, Rate
from cutline.errors import ConfigError
from cutline.imaging.picture_objects import is_one, items_of
from cutline.records import Problem, Sample
from cutline.results import CaptionResult
from cutline.sources.listed import sample_of


class ResultWindow:
    """The pictures that are in progress, in order.

    ``submit`` starts one, ``size`` is how many there may be, and ``total`` how many will come, where known.
    """

    def __init__(
        self,
        submit: Callable[[Sample, int], Future[CaptionResult]],
        size: Callable[[], int],
        *,
        show: ProgressHook,
        total: int | None,
    ) -> None:
        self._submit = submit
        self._size = size
        self._show = show
        self._total = total
        self._count = self._done = self._failures = 0
        self._start, self._rate = time.monotonic(), Rate()
        self._futures: collections.deque[Future[CaptionResult]] = collections.deque()

    def __bool__(self) -> bool:
        return bool(self._futures)

    def add(self, image: Any) -> None:
        index = self._count
        try:
            sample = sample_of(image, index + 1)
        except ConfigError as error:
            problem = Problem(kind="unsupported", message=str(error))
            sample = Sample(key=f"picture-{index + 1}", location=None, problem=problem)
        self._futures.append(self._submit(sample, index))
        self._count += 1

    @property
    def has_next(self) -> bool:
        """Whether the next result is there, or has to be waited for as the window is full."""
        return len(self._futures) >= self._size() or (bool(self._futures) and self._futures[0].done())

    def next(self) -> CaptionResult:
        return self._taken(self._futures[0].result())

    async def anext(self) -> CaptionResult:
        return self._taken(await asyncio.wrap_future(self._futures[0]))

    def _taken(self, result: CaptionResult) -> CaptionResult:
        self._futures.popleft()
        self._done += 1
        self._failures += result.error is not None
        rate, left = self._rate.update(self._done), (self._total or 0) - self._done
        self._show(
            Progress(
                total=self._total,
                done=self._done,
                captions=self._done - self._failures,
                failures=self._failures,
                in_flight=len(self._futures),
                rate=rate,
                eta=left / rate if self._total is not None and rate > 0 else None,
                seconds=time.monotonic() - self._start,
            )
        )
        return result

    def close(self) -> None:
        for future in self._futures:
            future.cancel()


def total_of(images: object) -> int | None:
    """How many pictures there are; None where only reading them tells."""
    return len(images) if isinstance(images, Sized) else None


def listed(images: Iterable[Any]) -> Iterable[Any]:
    """The pictures of a list or a table; ConfigError for a single one."""
    if isinstance(images, str | os.PathLike) and Path(images).is_dir():
        raise ConfigError(
            f"map takes a list, and {os.fspath(images)!r} is a folder: "
            f"cutline.caption({os.fspath(images)!r}, model=model) captions its pictures"
        )
    if is_one(images):
        raise ConfigError(f"map takes a list, not a {type(images).__name__}: give [picture] for one")
    return items_of(images)


async def alisted(images: Iterable[Any] | AsyncIterable[Any]) -> AsyncIterator[Any]:
    """As ``listed``, also of what is asynchronous."""
    if isinstance(images, AsyncIterable):
        async for image in images:
            yield image
    else:
        for image in listed(images):
            yield image
