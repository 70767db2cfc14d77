"""The loop that runs a job in this process: workers on one feed, outcomes to journal and output."""

from __future__ import annotations

import asyncio
import copy
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from cutline.engine.accounts import Accounts
from cutline.engine.budget import RunLimits
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.output import OrderedOutput, Reorder
from cutline.engine.prefetch import Listed, Prefetch
from cutline.engine.prices import Spending
from cutline.engine.progress import Counts, Progress, ProgressHook, Rate
from cutline.engine.sample_pipeline import Captioning, log_outcome
from cutline.errors import BudgetSpent, CutlineError, PictureError, RunStopped, SinkError
from cutline.formatting import printable
from cutline.imaging import Picture
from cutline.records import Caption, Failure, Outcome, Sample, Step
from cutline.slots import and_preparing
from cutline.worker_threads import in_thread

GRACE = 8.0  # seconds that requests under way get to end when the run is stopped
COMMIT_EVERY = 1.0
GATHER = 0.05
PROGRESS_EVERY = 0.1
NAMED = 3  # replaced pictures that the summary names

_log = logging.getLogger(__name__)


class Loop:
    """One run of one job over what the journal and the output do not have yet."""

    def __init__(
        self,
        *,
        feed: Prefetch,
        captioning: Captioning,
        journal: Journal,
        output: OrderedOutput,
        reorder: Reorder,
        limits: RunLimits,
        stop: Stop,
    ) -> None:
        self._feed = feed
        self._captioning = captioning
        self._chain = captioning.chain
        captioning.on_loading = self._scale
        captioning.on_step = self._note_step
        self._journal = journal
        self._output = output
        self._reorder = reorder
        self._before = reorder.next
        self._limits = limits
        self._accounts = Accounts(journal=journal, models=self._chain.models, limits=limits, stop=stop)
        self._stop = stop
        self._workers: set[asyncio.Task[None]] = set()
        self._all = copy.deepcopy(output.counts)
        self._known_before = output.counts.journalled
        self._taken = self._seen = 0
        self.resumed = self.changed = self.replaced = 0
        self.first_replaced: list[str] = []
        self._rate = Rate()
        self._sink_thread = ThreadPoolExecutor(1, thread_name_prefix="cutline-sink")
        self._ready = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._read_all = False

    async def run(self, progress: ProgressHook, count: Callable[[], int | None]) -> None:
        """Work until the feed is empty or the run is stopped; ``count`` tells how many samples there are.

        Raises:
            SinkError: the output cannot be written any more; what was paid for is in the journal.
        """
        self._start = time.monotonic()
        ticker = asyncio.create_task(self._tick(progress, count))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                self._scale()
                committer = group.create_task(self._commit())
                watcher = asyncio.create_task(self._watch())
                committer.add_done_callback(lambda _: watcher.cancel())
        except ExceptionGroup as errors:  # one cause, raised as itself
            raise errors.exceptions[0] from None
        finally:
            ticker.cancel()
            await asyncio.gather(ticker, watcher, return_exceptions=True)
            self._sink_thread.shutdown()
            progress(self._progress(count()))

    @property
    def fresh(self) -> Counts:
        """What this run made, without what earlier ones did."""
        return self._accounts.fresh

    @property
    def spent(self) -> Spending:
        """What all runs for this output cost together."""
        return self._accounts.spent

    @property
    def left_out(self) -> int:
        """Earlier outcomes whose samples the source has no more; right once all of it was read."""
        return max(0, len(self._journal) - self._known_before - self.resumed - self.changed)

    @property
    def complete(self) -> bool:
        """Whether every sample has its outcome."""
        return self._read_all and not self._feed.cut_short and self._seen == self._taken

    @property
    def waiting(self) -> int:
        """Outcomes that the output does not have yet, because one before them is missing."""
        return len(self._reorder)

    def _scale(self) -> None:
        """Have as many workers as the captioner can use, and a few that prepare the next pictures."""
        if self._stop.requested:
            return
        slots = self._chain.slots
        wanted = and_preparing(slots) + min(self._captioning.loading, 2 * slots + 32)
        while len(self._workers) < wanted and not self._read_all:
            task = self._group.create_task(self._work())
            self._workers.add(task)
            task.add_done_callback(self._worker_ended)

    def _worker_ended(self, task: asyncio.Task[None]) -> None:
        self._workers.discard(task)
        self._ready.set()

    async def _work(self) -> None:
        while True:
            # Waited for before a sample is taken: whoever has one may be the one that the others wait for.
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
            index = item.index
            self._taken += 1
            try:
                entry = await self._entry(item)
                self._reorder.put(index, entry)
            except (RunStopped, SinkError) as error:
                self._stop.request(error)
                return
            self._seen += 1
            self._all.add(entry[1])
            if index == self._reorder.next:
                self._ready.set()
            if self._reorder.full and index != self._reorder.next:
                self._room.clear()
            self._scale()

    async def _entry(self, item: Listed) -> tuple[Sample, Outcome, bytes | None]:
        """The sample's outcome: an earlier run's, or a new one, which is journalled at once."""
        sample = item.sample
        needs_picture = self._output.sink.needs_picture
        outcome = self._journal.get(sample.key)
        if outcome is not None and outcome.content_id != sample.content_id:
            self.changed += 1  # another picture lies there now
            outcome = None
        picture = None
        if outcome is None:
            await self._accounts.permit(lambda: self._captioning.under_way)
            if self._stop.requested:
                raise RunStopped("stopped")
            try:
                outcome, picture = await self._asked(sample)
            finally:
                self._accounts.wake()
            if isinstance(outcome, Caption) and sample.etag != item.etag:
                self._note_replaced(sample)
        else:
            self.resumed += 1
        data = None
        if needs_picture and isinstance(outcome, Caption):
            try:
                picture = picture or await self._captioning.load(sample)
                data = await in_thread(lambda: picture.data)
            except PictureError as error:  # captioned earlier, gone since
                outcome = Failure(key=sample.key, kind=error.kind, message=str(error), steps=outcome.steps)
        return sample, outcome, data

    async def _asked(self, sample: Sample) -> tuple[Outcome, Picture | None]:
        """A new outcome, which is kept and counted."""
        known = self._journal.steps(sample)
        outcome, picture = await self._captioning.caption(sample, known)
        if self._captioning.is_final(outcome):
            self._journal.append(outcome)
        log_outcome(outcome)
        self._accounts.add(outcome)
        return outcome, picture

    def _note_replaced(self, sample: Sample) -> None:
        self.replaced += 1
        if len(self.first_replaced) < NAMED:
            self.first_replaced.append(sample.key)
        _log.info("replaced key=%s while the run was under way", printable(sample.key))

    def _note_step(self, key: str, content_id: str, step: Step) -> None:
        """Keep an answer that was paid for while the picture's other steps are not answered yet."""
        self._journal.append_step(key, content_id, step)
        self._accounts.add_step(step)

    async def _commit(self) -> None:
        """Hand outcomes to the sink in order, and make it durable about once a second."""
        loop = asyncio.get_running_loop()
        last = time.monotonic()
        try:
            while True:
                # Asked before taking: a worker may put its last outcome and end while we write.
                ended = not self._workers
                entries = self._reorder.take()
                if entries:
                    await loop.run_in_executor(self._sink_thread, self._output.write, entries)
                if not self._reorder.full:
                    self._room.set()
                if time.monotonic() - last >= COMMIT_EVERY:
                    await loop.run_in_executor(self._sink_thread, self._output.commit)
                    last = time.monotonic()
                if not entries:
                    if ended:
                        break
                    await self._wait_ready(COMMIT_EVERY)
                    await asyncio.sleep(GATHER)  # one wake-up of the sink's thread for several outcomes
            await loop.run_in_executor(self._sink_thread, self._output.commit)
            if not self._stop.requested and self._reorder.next != self._before + self._taken:
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
        """Once the run is stopped, give requests under way a little time, then drop them."""
        await self._stop.wait()
        self._feed.stop()
        if not isinstance(self._stop.reason, BudgetSpent):  # which has reckoned with all that were begun
            self._chain.halt()
            self._captioning.drop_loading()
        self._accounts.wake()
        self._room.set()
        await asyncio.sleep(GRACE)
        for task in self._workers:
            task.cancel()

    async def _tick(self, progress: Callable[[Progress], None], total: Callable[[], int | None]) -> None:
        while True:
            progress(self._progress(total()))
            await asyncio.sleep(PROGRESS_EVERY)

    def _progress(self, total: int | None) -> Progress:
        fresh, spent, prices = self.fresh, self._accounts.spent, self._limits.prices
        done = self._before + self._seen
        rate = self._rate.update(fresh.total)
        left = total - done if total is not None else None
        return Progress(
            total=total,
            done=done,
            captions=self._all.captions,
            skips=self._all.skips,
            failures=self._all.failures,
            resumed=self._before + self.resumed,
            in_flight=self._chain.in_flight,
            loading=self._captioning.loading,
            slots=self._chain.slots,
            rate=rate,
            eta=left / rate if left is not None and rate > 0 else None,
            tokens=spent.usage.total,
            cost=prices.of(spent) if prices else None,
            seconds=time.monotonic() - self._start,
        )
