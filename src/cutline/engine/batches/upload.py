"""Pictures into files of requests, and each file to the service as soon as it is full."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time

from cutline.engine import assembly
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.requests import (
    WRITTEN,
    FileLimits,
    Keyed,
    Request,
    RequestFile,
    Writer,
)
from cutline.engine.batches.send import Sender
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.prefetch import Prefetch
from cutline.engine.progress import Counts, Progress, ProgressHook
from cutline.engine.resume import count_of
from cutline.engine.sample_pipeline import log_outcome
from cutline.engine.shard import GRACE, PROGRESS_EVERY
from cutline.errors import BudgetSpent, CutlineError, PictureError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import Failure, Outcome, Sample
from cutline.worker_threads import in_thread


@dataclasses.dataclass(slots=True, kw_only=True)
class Tally:
    """What became of the pictures: ``requests`` about ``pictures`` were sent in ``batches`` now.

    ``waiting`` pictures are in batches from before, ``known`` ones have their outcome, ``unprepared``
    counts those that are no question to anybody: they failed, or are skipped.
    """

    seen: int = 0
    batches: int = 0
    pictures: int = 0
    requests: int = 0
    waiting: int = 0
    known: int = 0
    unprepared: Counts = dataclasses.field(default_factory=Counts)


class Filling:
    """One pass over the source; ``most`` is how many pictures may be sent, ``ended`` why it sends no more."""

    def __init__(
        self,
        *,
        captioning: Keyed,
        writer: Writer,
        journal: Journal,
        ledger: BatchManifest,
        limits: FileLimits,
        sender: Sender,
        most: int | None,
        progress: ProgressHook,
        stop: Stop,
    ) -> None:
        self._captioning = captioning
        self._writer = writer
        self._journal = journal
        self._ledger = ledger
        self._limits = limits
        self._sender = sender
        self._most = most
        self._progress = progress
        self._stop = stop
        self._turn = asyncio.Lock()  # who adds to the file, or sends it
        self._file: RequestFile | None = None
        self._in_batches: set[int] = set()
        self._told = 0.0
        self._total: int | None = None
        self.tally = Tally()
        self.ended: CutlineError | None = None

    async def run(self, source: Source, job: Job) -> None:
        """Send everything that is to be sent, or stop early; what was sent until then is kept.

        Raises:
            SourceError, SinkError, RequestError, RunStopped: no more can be sent now.
        """
        work = asyncio.create_task(self._all(source, job))
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():  # what is being sent gets a little time to arrive
                await asyncio.wait({work}, timeout=GRACE)
            if work.done():
                work.result()
        finally:
            for task in (work, stopping):
                task.cancel()
            await asyncio.gather(work, stopping, return_exceptions=True)
            if self._file is not None:
                self._file.close()
            await self._captioning.aclose()

    async def _all(self, source: Source, job: Job) -> None:
        for batch in self._ledger.open_batches:
            if not batch.is_sent:
                self._sent(await self._sender.send(batch))
                self.tally.waiting -= batch.pictures  # which the source will name again
        self._in_batches = await in_thread(_pictures_in, self._ledger)
        limit = assembly.limit_of(job)
        samples = await in_thread(assembly.samples_of, source, limit)
        self._total = await in_thread(count_of, source, limit)
        feed = Prefetch(samples, batch=job.input.reader_batch_size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range((os.cpu_count() or 2) + 2):
                    group.create_task(self._work(feed))
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None
        finally:
            feed.close()
        if self._file is not None and self._file.pictures and not self._stop.requested:
            await self._send()

    async def _work(self, feed: Prefetch) -> None:
        while not self._stop.requested and self.ended is None:
            item = await feed.next()
            if item is None:
                return
            await self._one(item.sample)
            self.tally.seen += 1
            self._tell()

    async def _one(self, sample: Sample) -> None:
        content_id = sample.content_id
        outcome: Outcome | None = self._journal.get(sample.key)
        if outcome is not None and outcome.content_id == content_id:
            self.tally.known += 1
            return
        if hash((sample.key, content_id)) in self._in_batches:
            self.tally.waiting += 1
            return
        outcome, _ = await self._captioning.caption(sample, self._journal.steps(sample))
        requests = self._writer.take(sample.key)
        if isinstance(outcome, Failure) and outcome.kind == WRITTEN:
            async with self._turn:
                outcome = await self._add(sample.key, content_id, requests)
        if outcome is None:
            return
        self.tally.unprepared.add(outcome)
        if self._captioning.is_final(outcome):
            self._journal.append(outcome)
            log_outcome(outcome)

    async def _add(self, key: str, content_id: str, requests: list[Request]) -> Failure | None:
        """Put the requests into the file, and send that first where it is full."""
        in_file = self._file.pictures if self._file else 0
        if self._most is not None and self.tally.pictures + in_file >= self._most:
            self.ended = BudgetSpent("the budget allows no more pictures; raise it to go on")
        if self.ended is not None:
            return None
        try:
            while True:
                self._file = self._file or RequestFile(self._ledger, self._limits)
                if self._file.add(key, content_id, requests):
                    return None
                await self._send()
        except PictureError as error:
            return Failure(key=key, content_id=content_id, kind=error.kind, message=str(error))

    async def _send(self) -> None:
        """Close the file and begin its batch; nobody adds meanwhile."""
        assert self._file is not None
        file, self._file = self._file, None
        batch = await in_thread(file.seal)
        self._sent(await self._sender.send(batch))

    def _sent(self, batch: Batch) -> None:
        self.tally.batches += 1
        self.tally.pictures += batch.pictures
        self.tally.requests += batch.requests

    def _tell(self) -> None:
        now = time.monotonic()
        if now - self._told < PROGRESS_EVERY or self._turn.locked():
            return
        self._told = now
        seen, of = self.tally.seen, f" of {self._total:,}" if self._total is not None else ""
        line = f"preparing pictures: {seen:,}{of}"
        self._progress(Progress(waiting_for=line, done=seen, total=self._total))


def _pictures_in(ledger: BatchManifest) -> set[int]:
    """Key and content_id of every picture in a batch that is not collected yet."""
    rows = (row for batch in ledger.open_batches for _, row in ledger.keys(batch))
    return {hash((row["key"], row["stamp"])) for row in rows}
