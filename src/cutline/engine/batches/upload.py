"""Write requests to files, and upload each file as soon as it is full."""

from __future__ import annotations

import asyncio
import dataclasses
import time

from cutline.engine import assembly
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.client import BatchService, with_response
from cutline.engine.batches.requests import FileLimits, RequestFile, RequestPipeline, Written
from cutline.engine.batches.results import read_row
from cutline.engine.cancellation import Stop, until_stopped
from cutline.engine.content import is_about
from cutline.engine.journal import Journal
from cutline.engine.plan import sample_count
from cutline.engine.prefetch import Prefetch
from cutline.engine.progress import PROGRESS_EVERY, Progress, ProgressHook
from cutline.engine.repeats import RequestId, request_of
from cutline.engine.resume import earlier_steps
from cutline.engine.sample_outcomes import log_outcome
from cutline.engine.shard_task import GRACE
from cutline.engine.stats import Counts
from cutline.errors import BudgetSpent, ConfigError, CutlineError, PictureError
from cutline.formatting import plural, stored_key
from cutline.interfaces import Source
from cutline.job import Job
from cutline.processors import usable_processors
from cutline.records import JSON, Failure, Outcome, Sample
from cutline.worker_threads import in_thread


@dataclasses.dataclass(slots=True, kw_only=True)
class UploadStats:
    """This call sent ``requests`` for ``pictures`` in ``batches``.

    ``waiting`` pictures are in earlier batches, ``known`` ones have an outcome, ``unprepared`` ones failed
    or were skipped before their request was written.
    """

    seen: int = 0
    batches: int = 0
    pictures: int = 0
    requests: int = 0
    waiting: int = 0
    known: int = 0
    unprepared: Counts = dataclasses.field(default_factory=Counts)


@dataclasses.dataclass(slots=True, kw_only=True)
class Uploader:
    """One pass over the source that sends at most ``max_pictures``; ``ended`` is why it sends no more."""

    pipeline: RequestPipeline
    journal: Journal
    manifest: BatchManifest
    limits: FileLimits
    service: BatchService
    max_pictures: int | None
    progress: ProgressHook
    stats: UploadStats = dataclasses.field(default_factory=UploadStats)
    ended: CutlineError | None = None
    _lock: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)  # to add to the file, and send it
    _file: RequestFile | None = None
    _in_batches: dict[int, tuple[tuple[int, int], ...]] = dataclasses.field(default_factory=dict)
    _has_repeats: bool = False
    _pending: set[RequestId] = dataclasses.field(default_factory=set)  # in batches, or soon
    _reported: float = 0.0
    _total: int | None = None

    async def run(self, source: Source, job: Job, stop: Stop) -> None:
        """Send everything that is left; raises as the source, the pipeline and the service."""
        try:
            finished = await until_stopped(self._send_all(source, job, stop), stop, grace=GRACE)
            if finished is not None:
                finished.result()
        finally:
            if self._file is not None:
                self._file.close()
            await self.pipeline.aclose()

    async def _send_all(self, source: Source, job: Job, stop: Stop) -> None:
        for batch in self.manifest.open_batches:
            if not batch.is_sent:
                await self._send(batch)
                self.stats.waiting -= batch.pictures  # the source lists them again
        self._in_batches = await in_thread(_pictures_in, self.manifest)
        limit = assembly.limit_of(job)
        samples = await in_thread(assembly.samples_of, source, limit)
        self._has_repeats = source.has_repeats and self.pipeline.can_share
        self._total = await in_thread(sample_count, source, limit)
        feed = Prefetch(samples, batch=job.input.reader_batch_size)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(usable_processors() + 2):
                    group.create_task(self._work(feed, stop))
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None
        finally:
            feed.close()
        if self._file is not None and self._file.pictures and not stop.requested:
            await self._send_file()

    async def _work(self, feed: Prefetch, stop: Stop) -> None:
        while not stop.requested and self.ended is None:
            item = await feed.next()
            if item is None:
                return
            await self._process(item.sample)
            self.stats.seen += 1
            self._report()

    async def _process(self, sample: Sample) -> None:
        content = self.pipeline.contents.content(sample)
        request = request_of(sample.key, content.listed, content.variables) if self._has_repeats else None
        repeats = request is not None and request in self._pending
        self._pending |= {request} if request is not None else set()
        known = self.journal.get(sample.key)
        trusted = self.journal.trusted and not isinstance(known, Failure)
        if known is not None and await is_about(known.content_id, content, trusted=trusted):
            self.stats.known += 1
            if request is not None and not repeats:
                self._pending.discard(request)
            return
        key = stored_key(sample.key)
        for batch, offset in self._in_batches.get(hash(key), ()):
            sent = read_row(self.manifest.keys_file(batch), offset)
            if stored_key(sent["key"]) == key and await is_about(sent["stamp"], content, trusted=True):
                self.stats.waiting += 1
                return
        if repeats and sample.location is not None:  # its caption is that of the row that was sent
            self.stats.waiting += 1
            return
        steps = await earlier_steps(sample, self.journal, self.pipeline.contents)
        result: Written | Outcome | None = await self.pipeline.write(sample, steps)
        if isinstance(result, Written):
            async with self._lock:
                result = await self._add(result)
        if result is None:
            return
        self.stats.unprepared.add(result)
        if self.pipeline.is_final(result):
            self.journal.append(result)
            log_outcome(result)

    async def _add(self, written: Written) -> Failure | None:
        """Add the requests to the file; a full one is sent first."""
        in_file = self._file.pictures if self._file else 0
        if self.max_pictures is not None and self.stats.pictures + in_file >= self.max_pictures:
            self.ended = BudgetSpent("the budget allows no more pictures; raise it to continue")
        if self.ended is not None:
            return None
        try:
            while True:
                self._file = self._file or RequestFile(self.manifest, self.limits)
                if self._file.add(written):
                    return None
                await self._send_file()
        except PictureError as error:
            return Failure(
                key=written.key, content_id=written.content_id, kind=error.kind, message=str(error)
            )

    async def _send_file(self) -> None:
        """Close the file and create its batch; the lock is held."""
        assert self._file is not None
        file, self._file = self._file, None
        batch = await in_thread(file.seal)
        await self._send(batch)

    async def _send(self, batch: Batch) -> None:
        """Upload the file, unless it is there, and create its batch, unless it exists.

        The service is first searched for what may have arrived before an earlier call died.

        Raises:
            EndpointUnusable, Rejected, Retryable: as the service does; call again to continue.
            SinkError: the manifest cannot be written; nothing more was sent.
            ConfigError: the file is gone.
        """
        if batch.stage in {"written", "uploading"}:
            batch = await self._uploaded(batch)
        if batch.stage in {"uploaded", "creating"}:
            batch = await self._created(batch)
        self.manifest.requests_file(batch.number).unlink(missing_ok=True)
        self.stats.batches += 1
        self.stats.pictures += batch.pictures
        self.stats.requests += batch.requests

    async def _uploaded(self, batch: Batch) -> Batch:
        size = f"{batch.size / 1e6:,.1f} MB" if batch.size >= 1e5 else f"{batch.size / 1e3:,.1f} kB"
        pictures = plural(batch.pictures, "picture")
        self.service.say(f"sending file {batch.number}: {size}, {pictures}")
        file = None
        if batch.stage == "uploading":
            found = await self.service.find_file(batch.name)
            if found is not None and found.get("bytes", batch.size) == batch.size:
                file = str(found["id"])
        if file is None:
            path = self.manifest.requests_file(batch.number)
            if not path.exists():
                raise ConfigError(
                    f"{path} is gone and was not sent; forget its batch with `cutline batch cancel`"
                )
            batch = self.manifest.put(batch.changed(stage="uploading"))
            file = await self.service.upload(path, batch.name)
        return self.manifest.put(batch.changed(stage="uploaded", input_file=file))

    async def _created(self, batch: Batch) -> Batch:
        found: JSON | None = None
        if batch.stage == "creating":
            found = await self.service.find_batch(batch.input_file)
        if found is None:
            batch = self.manifest.put(batch.changed(stage="creating"))
            found = await self.service.create(batch.input_file, batch.name)
        return self.manifest.put(with_response(batch.changed(stage="sent", id=str(found["id"])), found))

    def _report(self) -> None:
        now = time.monotonic()
        if now - self._reported < PROGRESS_EVERY or self._lock.locked():
            return
        self._reported = now
        seen, of = self.stats.seen, f" of {self._total:,}" if self._total is not None else ""
        line = f"preparing pictures: {seen:,}{of}"
        self.progress(Progress(waiting_for=line, done=seen, total=self._total))


def _pictures_in(manifest: BatchManifest) -> dict[int, tuple[tuple[int, int], ...]]:
    """Batch and offset of the requests for each picture in an uncollected batch, by the key's hash."""
    found: dict[int, tuple[tuple[int, int], ...]] = {}
    for batch in manifest.open_batches:
        before = None
        for offset, row in manifest.keys(batch):
            if row["key"] != before:
                mark = hash(row["key"])
                found[mark] = (*found.get(mark, ()), (batch.number, offset))
            before = row["key"]
    return found
