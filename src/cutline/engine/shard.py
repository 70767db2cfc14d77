"""The work of one shard: workers on one feed, outcomes to journal and output.

It uses neither a terminal nor a lock file, so that a process on another machine can do it too.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from cutline.engine.prefetch import Listed, Prefetch
from cutline.engine.reorder import Reorder
from cutline.engine.repeats import Shared, Turns, request_of
from cutline.engine.resume import digest_of, earlier_outcome, earlier_steps, rechecked, replaced, with_data
from cutline.engine.sample_outcomes import log_outcome
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.shard_task import COMMIT_EVERY, GRACE, ShardHost, ShardOutput, ShardResult, ShardTask
from cutline.errors import BudgetSpent, CutlineError, PictureError, RunStopped, SinkError
from cutline.formatting import printable
from cutline.imaging import Picture
from cutline.records import Caption, Outcome, Sample, Step
from cutline.slots import and_preparing

GATHER = 0.05

_log = logging.getLogger(__name__)


async def run_shard(
    task: ShardTask,
    pipeline: SamplePipeline,
    output: ShardOutput,
    host: ShardHost,
    samples: Iterator[Sample] | None = None,
) -> ShardResult:
    """Work until all samples have their outcome, or the run is stopped.

    ``samples`` are the task's, where listing them has begun already.

    Raises SinkError where the output cannot be written; what was paid for is in the journal.
    """
    feed = Prefetch(samples or task.samples(), batch=task.job.input.reader_batch_size, first=task.start)
    reorder = Reorder(output.folder, first=task.start)
    try:
        return await _Shard(task, pipeline, output, host, feed, reorder).run()
    finally:
        feed.close()
        reorder.close()


class _Shard:
    """One shard under way; it observes its pipeline."""

    def __init__(
        self,
        task: ShardTask,
        pipeline: SamplePipeline,
        output: ShardOutput,
        host: ShardHost,
        feed: Prefetch,
        reorder: Reorder,
    ) -> None:
        self._max_failures = task.job.run.stop_after_failures
        self._pipeline = pipeline
        self._output = output
        self._host = host
        self._stop, self._stats = host.stop, host.stats
        self._feed = feed
        self._reorder = reorder
        self._first = reorder.next
        self._workers: set[asyncio.Task[None]] = set()
        self._turns = Turns()
        host.journal.has_repeats = task.source.has_repeats and pipeline.can_share
        self._taken = self._done = 0
        self._read_all = False
        self._sink_thread = ThreadPoolExecutor(1, thread_name_prefix="cutline-sink")
        self._ready, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()

    async def run(self) -> ShardResult:
        watcher = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._scale()
                committer = group.create_task(self._commit())
                committer.add_done_callback(lambda _: watcher.cancel())
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None
        finally:
            watcher.cancel()
            await asyncio.gather(watcher, return_exceptions=True)
            self._sink_thread.shutdown()
        complete = self._read_all and not self._feed.cut_short and self._done == self._taken
        return ShardResult(complete=complete, waiting=len(self._reorder))

    def download_started(self) -> None:
        self._scale()

    def step_finished(self, key: str, content_id: str, step: Step) -> None:
        """Keep a reply that was paid for while the picture's other steps have none yet."""
        self._host.journal.append_step(key, content_id, step)
        self._stats.add_step(step)

    def check_budget(self) -> None:
        if self._stop.requested:
            raise RunStopped("stopped")
        self._host.slots.check()

    def _scale(self) -> None:
        """Start as many workers as the captioner has slots, and a few that prepare the next pictures."""
        if self._stop.requested:
            return
        slots = self._pipeline.chain.slots
        wanted = and_preparing(slots) + min(self._pipeline.downloads, 2 * slots + 32)
        while len(self._workers) < wanted and not self._read_all:
            task = self._group.create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._workers.discard)
            task.add_done_callback(lambda _: self._ready.set())

    async def _work(self) -> None:
        while True:
            # Before a sample is taken: the worker that has one may be the one that the others wait for.
            await self._room.wait()
            try:
                item = await self._feed.next()
            except CutlineError as error:
                self._stop.request(error)
                return
            if item is None:
                self._read_all = True
                return
            if self._stop.requested:
                return
            self._taken += 1
            try:
                await self._process(item)
            except (RunStopped, SinkError) as error:
                self._stop.request(error)
                return
            self._done += 1
            if item.index == self._reorder.next:
                self._ready.set()
            if self._reorder.full and item.index != self._reorder.next:
                self._room.clear()
            self._scale()

    async def _process(self, item: Listed) -> None:
        """Pass a sample's outcome, an earlier run's or a new one, to the output."""
        sample, data, outdated = item.sample, None, ""
        outcome, changed = await earlier_outcome(sample, self._host.journal, self._pipeline.contents)
        if outcome is not None and self._pipeline.rules.recheck:
            outdated = digest_of(outcome)
            outcome, changed = await self._recheck(sample, outcome)
        self._stats.changed += changed
        if isinstance(outcome, Caption) and self._output.needs_picture:
            outdated = digest_of(outcome)
            outcome, data = await self._with_data(outcome, sample, None)
            self._stats.changed += outcome is None
        fresh = outcome is None
        if outcome is not None:
            outcome = self._pipeline.reuse(sample, outcome)
        else:
            self._forget(sample)
            outcome, picture = await self._caption(sample, outdated)
            if isinstance(made := outcome, Caption) and sample.etag != item.etag:
                self._stats.add_replaced(sample.key)
                _log.info("replaced key=%s while the run was under way", printable(sample.key))
            if isinstance(made, Caption) and self._output.needs_picture:
                outcome, data = await self._with_data(made, sample, picture)
                outcome = outcome or replaced(made)
        self._reorder.put(item.index, (sample, outcome, data))
        self._stats.add(sample, outcome, fresh=fresh)
        if fresh and (failed := self._stats.many_failed(self._max_failures)) is not None:
            self._stop.request(failed)

    def _forget(self, sample: Sample) -> None:
        """Drop an earlier caption of a picture that has changed from what checks remember."""
        if self._pipeline.stages.remembers:
            earlier = self._host.journal.get(sample.key)
            if isinstance(earlier, Caption):
                self._pipeline.stages.forget(earlier)

    async def _recheck(self, sample: Sample, outcome: Outcome) -> tuple[Outcome | None, bool]:
        load = self._pipeline.load_changed
        try:
            current = await rechecked(
                sample, outcome, self._host.journal, lambda known: load(sample, known, self)
            )
        except PictureError as error:
            self._stats.unchecked += 1
            _log.info("unchecked key=%s: %s", printable(sample.key), printable(str(error)))
            return outcome, False
        return current, current is None

    async def _with_data(
        self, outcome: Caption, sample: Sample, picture: Picture | None
    ) -> tuple[Outcome | None, bytes | None]:
        return await with_data(outcome, picture or (lambda: self._pipeline.load(sample, self)))

    async def _caption(self, sample: Sample, outdated: str) -> tuple[Outcome, Picture | None]:
        """A new outcome, which is journalled at once; rows with one picture and prompt have one request.

        ``outdated`` is the digest of a picture that was in the place of this one.
        """
        if not self._host.journal.has_repeats or sample.location is None:
            return await self._caption_in_turn(sample, None, outdated)
        content = self._pipeline.contents.content(sample)
        request = request_of(sample.key, content.listed, content.variables)
        await self._turns.begin(request)
        try:
            shared = await self._host.journal.alike(sample.key, request)
            if shared is not None and outdated and digest_of(shared) == outdated:
                shared = None
            return await self._caption_in_turn(sample, shared, outdated)
        finally:
            self._turns.end(request)

    async def _caption_in_turn(
        self, sample: Sample, shared: Shared | None, outdated: str
    ) -> tuple[Outcome, Picture | None]:
        host = self._host
        await host.slots.take()
        try:
            if self._stop.requested:
                raise RunStopped("stopped")
            known = await earlier_steps(sample, host.journal, self._pipeline.contents, outdated)
            outcome, picture = await self._pipeline.caption(sample, known, self, shared)
            if self._pipeline.is_final(outcome):
                host.journal.append(outcome)
            log_outcome(outcome)
            self._stats.add_usage(outcome)
            return outcome, picture
        finally:
            host.slots.leave()

    async def _commit(self) -> None:
        """Write outcomes to the output in order, and make it durable about once a second."""
        loop = asyncio.get_running_loop()
        last = time.monotonic()
        try:
            while True:
                # Read first: a worker may put its last outcome and end while others are written.
                ended = not self._workers
                entries = self._reorder.take()
                if entries:
                    lost = await loop.run_in_executor(self._sink_thread, self._output.write, entries)
                    self._stats.add_unwritten(lost)
                if not self._reorder.full:
                    self._room.set()
                if time.monotonic() - last >= COMMIT_EVERY:
                    await loop.run_in_executor(self._sink_thread, self._output.commit)
                    last = time.monotonic()
                if not entries:
                    if ended:
                        break
                    await self._wait_ready(COMMIT_EVERY)
                    await asyncio.sleep(GATHER)  # write several outcomes at once
            await loop.run_in_executor(self._sink_thread, self._output.commit)
            if not self._stop.requested and self._reorder.next != self._first + self._taken:
                raise AssertionError("a sample was read from the source and has no outcome")
        except SinkError as error:
            self._stop.request(error)
            raise

    async def _wait_ready(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._ready.wait()
        except TimeoutError:
            pass
        self._ready.clear()

    async def _watch(self) -> None:
        """Once the run is stopped, give requests under way a little time, then cancel them."""
        await self._stop.wait()
        self._feed.stop()
        if not isinstance(self._stop.reason, BudgetSpent):  # which accounts for all that are under way
            self._pipeline.chain.halt()
            self._pipeline.cancel_downloads()
        self._host.slots.halt()
        self._room.set()
        await asyncio.sleep(GRACE)
        for task in self._workers:
            task.cancel()
