"""Read samples ahead from a blocking source, in batches, in a thread."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from cutline.records import Sample


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A sample, its place in the source, and its etag when it was listed."""

    index: int
    sample: Sample
    etag: str


class Prefetch:
    """Numbered samples for many workers; holds at most two batches."""

    def __init__(self, samples: Iterator[Sample], *, batch: int, first: int = 0) -> None:
        self._samples = samples
        self._batch = batch
        self._index = itertools.count(first)
        self._ready: collections.deque[Listed] = collections.deque()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cutline-reader")
        self._lock = asyncio.Lock()
        self._ahead: asyncio.Future[list[Listed]] | None = None
        self._ended = False
        self._error: Exception | None = None
        self.cut_short = False

    async def next(self) -> Listed | None:
        """The next sample, None after the last; raises as the source."""
        while not self._ready:
            async with self._lock:
                if self._ready:
                    break
                if self._ended:
                    if self._error is not None:
                        raise self._error
                    return None
                self._ahead = self._ahead or self._read()
                batch = await self._ahead
                self._ended = len(batch) < self._batch
                self._ready.extend(batch)
                self._ahead = None if self._ended else self._read()
        return self._ready.popleft()

    def _read(self) -> asyncio.Future[list[Listed]]:
        return asyncio.get_running_loop().run_in_executor(self._thread, self._list)

    def _list(self) -> list[Listed]:
        """One batch, shorter at the end of the source or at an error, before which all samples count."""
        batch: list[Listed] = []
        try:
            batch.extend(
                Listed(index=next(self._index), sample=sample, etag=sample.etag)
                for sample in itertools.islice(self._samples, self._batch)
            )
        except Exception as error:  # noqa: BLE001 - raised by ``next`` once the batch is used up
            self._error = error
        return batch

    def stop(self) -> None:
        """Yield no more samples, and wake all who wait for one."""
        self.cut_short = self.cut_short or not self._ended or bool(self._ready)
        self._ended = True
        if self._ahead is not None:
            self._ahead.cancel()

    def close(self) -> None:
        self.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)
