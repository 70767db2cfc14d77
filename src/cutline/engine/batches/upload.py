"""Pictures to files of requests, and each file to the service as soon as it is full."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from collections.abc import Callable

from cutline.engine import assembly
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.client import BatchService, with_response
from cutline.engine.batches.requests import FileLimits, RequestFile, RequestPipeline, Written
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.prefetch import Prefetch
from cutline.engine.progress import PROGRESS_EVERY, Progress, ProgressHook
from cutline.engine.resume import count_of
from cutline.engine.sample_pipeline import log_outcome
from cutline.engine.shard import GRACE
from cutline.engine.stats import Counts
from cutline.errors import BudgetSpent, ConfigError, CutlineError, PictureError
from cutline.formatting import plural
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import JSON, Failure, Outcome, Sample
from cutline.worker_threads import in_thread


@dataclasses.dataclass(slots=True, kw_only=True)
class UploadStats:
    """What became of the pictures: ``requests`` for ``pictures`` were sent in ``batches`` by this call.

    ``waiting`` pictures are in earlier batches, ``known`` ones have their outcome, ``unprepared`` counts
    those without a request: they failed, or are skipped.
    """

    seen: int = 0
    batches: int = 0
    pictures: int = 0
    requests: int = 0
    waiting: int = 0
    known: int = 0
    unprepared: Counts = dataclasses.field(default_factory=Counts)


class Sender:
    """Uploads files and creates their batches; ``say`` receives lines about it."""

    def __init__(self, manifest: BatchManifest, service: BatchService, say: Callable[[str], None]) -> None:
        self._manifest = manifest
        self._service = service
        self._say = say

    async def send(self, batch: Batch) -> Batch:
        """Upload the file, unless it is there, and create its batch, unless it exists.

        What may have arrived when an earlier call died is looked for at the service first.

        Raises:
            EndpointUnusable, Rejected, Retryable: as the service does; the same call goes on later.
            SinkError: the manifest cannot be written; nothing more was sent.
            ConfigError: the file is gone.
        """
        if batch.stage in {"written", "uploading"}:
            batch = await self._uploaded(batch)
        if batch.stage in {"uploaded", "creating"}:
            batch = await self._created(batch)
        self._manifest.requests_file(batch.number).unlink(missing_ok=True)
        return batch

    async def _uploaded(self, batch: Batch) -> Batch:
        size = f"{batch.size / 1e6:,.1f} MB" if batch.size >= 1e5 else f"{batch.size / 1e3:,.1f} kB"
        pictures = plural(batch.pictures, "picture")
        self._say(f"sending file {batch.number}: {size}, {pictures}")
        file = None
        if batch.stage == "uploading":
            found = await self._service.find_file(batch.name)
            if found is not None and found.get("bytes", batch.size) == batch.size:
                file = str(found["id"])
        if file is None:
            path = self._manifest.requests_file(batch.number)
            if not path.exists():
                raise ConfigError(
                    f"{path} is gone and was not sent; forget its batch with `cutline batch cancel`"
                )
            batch = self._manifest.put(batch.changed(stage="uploading"))
            file = await self._service.upload(path, batch.name)
        return self._manifest.put(batch.changed(stage="uploaded", input_file=file))

    async def _created(self, batch: Batch) -> Batch:
        found: JSON | None = None
        if batch.stage == "creating":
            found = await self._service.find_batch(batch.input_file)
        if found is None:
            batch = self._manifest.put(batch.changed(stage="creating"))
            found = await self._service.create(batch.input_file, batch.name)
        return self._manifest.put(with_response(batch.changed(stage="sent", id=str(found["id"])), found))


class Uploader:
    """One pass over the source; sends at most ``max_pictures``, ``ended`` is why it sends no more."""

    def __init__(
        self,
        *,
        pipeline: RequestPipeline,
        journal: Journal,
        manifest: BatchManifest,
        limits: FileLimits,
        sender: Sender,
        max_pictures: int | None,
        progress: ProgressHook,
    ) -> None:
        self._pipeline = pipeline
        self._journal = journal
        self._manifest = manifest
        self._limits = limits
        self._sender = sender
        self._max_pictures = max_pictures
        self._progress = progress
        self._lock = asyncio.Lock()  # for adding to the file, and sending it
        self._file: RequestFile | None = None
        self._in_batches: set[int] = set()
        self._reported = 0.0
        self._total: int | None = None
        self.stats = UploadStats()
        self.ended: CutlineError | None = None

    async def run(self, source: Source, job: Job, stop: Stop) -> None:
        """Send everything that is left, or stop early; what was sent until then is kept.

        Raises:
            SourceError, SinkError, RequestError, RunStopped: no more can be sent now.
        """
        work = asyncio.create_task(self._send_all(source, job, stop))
        stopping = asyncio.create_task(stop.wait())
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
            await self._pipeline.aclose()

    async def _send_all(self, source: Source, job: Job, stop: Stop) -> None:
        for batch in self._manifest.open_batches:
            if not batch.is_sent:
                self._count(await self._sender.send(batch))
                self.stats.waiting -= batch.pictures  # which the source will list again
        self._in_batches = await in_thread(_pictures_in, self._manifest)
        limit = assembly.limit_of(job)
        samples = await in_thread(assembly.samples_of, source, limit)
        self._total = await in_thread(count_of, source, limit)
        feed = Prefetch(samples, batch=job.input.reader_batch_size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range((os.cpu_count() or 2) + 2):
                    group.create_task(self._work(feed, stop))
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None
        finally:
            feed.close()
        if self._file is not None and self._file.pictures and not stop.requested:
            await self._send()

    async def _work(self, feed: Prefetch, stop: Stop) -> None:
        while not stop.requested and self.ended is None:
            item = await feed.next()
            if item is None:
                return
            await self._process(item.sample)
            self.stats.seen += 1
            self._report()

    async def _process(self, sample: Sample) -> None:
        content_id = sample.content_id
        known = self._journal.get(sample.key)
        if known is not None and known.content_id == content_id:
            self.stats.known += 1
            return
        if hash((sample.key, content_id)) in self._in_batches:
            self.stats.waiting += 1
            return
        result: Written | Outcome | None = await self._pipeline.write(sample, self._journal.steps(sample))
        if isinstance(result, Written):
            async with self._lock:
                result = await self._add(result)
        if result is None:
            return
        self.stats.unprepared.add(result)
        if self._pipeline.is_final(result):
            self._journal.append(result)
            log_outcome(result)

    async def _add(self, written: Written) -> Failure | None:
        """Put the requests into the file, and send that first where it is full."""
        in_file = self._file.pictures if self._file else 0
        if self._max_pictures is not None and self.stats.pictures + in_file >= self._max_pictures:
            self.ended = BudgetSpent("the budget allows no more pictures; raise it to go on")
        if self.ended is not None:
            return None
        try:
            while True:
                self._file = self._file or RequestFile(self._manifest, self._limits)
                if self._file.add(written):
                    return None
                await self._send()
        except PictureError as error:
            return Failure(
                key=written.key, content_id=written.content_id, kind=error.kind, message=str(error)
            )

    async def _send(self) -> None:
        """Close the file and create its batch; the lock is held."""
        assert self._file is not None
        file, self._file = self._file, None
        batch = await in_thread(file.seal)
        self._count(await self._sender.send(batch))

    def _count(self, batch: Batch) -> None:
        self.stats.batches += 1
        self.stats.pictures += batch.pictures
        self.stats.requests += batch.requests

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < PROGRESS_EVERY or self._lock.locked():
            return
        self._reported = now
        seen, of = self.stats.seen, f" of {self._total:,}" if self._total is not None else ""
        line = f"preparing pictures: {seen:,}{of}"
        self._progress(Progress(waiting_for=line, done=seen, total=self._total))


def _pictures_in(manifest: BatchManifest) -> set[int]:
    """Key and content of every picture in a batch that is not collected yet."""
    rows = (row for batch in manifest.open_batches for _, row in manifest.keys(batch))
    return {hash((row["key"], row["stamp"])) for row in rows}
