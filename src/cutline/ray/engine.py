"""The driver of a run on Ray: gives shards to workers; has the journal, the order, the output and the budget.

Workers run the same code as a local run, on one shard each, and send what they append and write to the
driver. See docs/design/ray.md.
"""

from __future__ import annotations

import collections
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from cutline.credentials import Secret
from cutline.engine.executor import Executor, Terms
from cutline.engine.journal import Journal
from cutline.engine.output import OrderedOutput
from cutline.engine.plan import Plan
from cutline.engine.selection import SelectedSource
from cutline.engine.shard_task import ShardHost, ShardResult
from cutline.engine.stage_runner import StageRunner
from cutline.interfaces import Source
from cutline.job import Job
from cutline.ray.cluster import connect, disconnect, handlers_kept, import_ray, is_full, resolve
from cutline.ray.comparisons import Comparisons
from cutline.ray.messages import Ended
from cutline.ray.records import RunRecords
from cutline.ray.shard_run import Run
from cutline.ray.shards import Shard, Shards
from cutline.ray.team import Team
from cutline.records import LeftOver, Slowdown
from cutline.sidecars import report
from cutline.sources import left_over
from cutline.sources.wrapper import unwrapped
from cutline.worker_threads import in_thread


class RayEngine(Executor):
    """Runs a job's shards on the workers of a Ray cluster."""

    def __init__(self, job: Job, key: Secret | None) -> None:
        self._address = resolve(job.cluster.address)
        import_ray(self._address)
        self._job = job
        self._team = Team(job, key)
        self._has_connected = False
        self._comparisons = Comparisons(StageRunner())
        self._noted: dict[int, tuple[Sequence[str], Sequence[LeftOver]]] = {}  # by the numbers of parts
        self._is_split = True

    async def open(self, say: Callable[[str], None], terms: Terms) -> None:
        say("connecting to Ray")
        with handlers_kept():
            where = await in_thread(connect, self._address, self._job.input_path)
        self._has_connected = bool(where)
        say(f"starting workers on {where or 'the Ray of this process'}")
        if await is_full(self._job.cluster):
            say("waiting for room on the cluster, which other jobs use")
        self._comparisons = Comparisons(terms.stages)
        await self._comparisons.open(say)
        await self._team.open(terms)

    async def run(self, plan: Plan, output: OrderedOutput, host: ShardHost) -> ShardResult:
        job, task = self._job, plan.task
        source = task.source
        shards = await in_thread(self._split, plan, output)
        assert isinstance(host.journal, Journal), "the driver has the real one"
        records = RunRecords(host.journal, output.sink, task.rules, source, self._comparisons)
        run = Run(
            job=job,
            team=self._team,
            shards=shards,
            output=output,
            host=host,
            records=records,
            note=self._note,
        )
        try:
            complete = await run.run()
            return ShardResult(complete=complete, waiting=shards.waiting)
        finally:
            shards.close()

    def _split(self, plan: Plan, output: OrderedOutput) -> Shards:
        """The shards of what is left; blocks."""
        task = plan.task
        if next(plan.samples, None) is None:
            return Shards(())
        source = task.source.source if isinstance(task.source, SelectedSource) else task.source
        has_notes = bool(source.warnings or source.left_over)  # of what is done
        shards = Shards.of(
            source,
            per_task=self._job.cluster.samples_per_task,
            workers=self._team.wanted,
            limit=task.stop,
            folder=output.folder,
            start=task.start,
        )
        self._is_split = shards.first is None or unwrapped(shards.first.source) is not unwrapped(source)
        if has_notes:
            for number, part in enumerate(shards.before, -len(shards.before)):
                collections.deque(part.samples(), maxlen=0)
                self._noted[number] = tuple(part.warnings), tuple(part.left_over)
        return shards

    def _note(self, shard: Shard, ended: Ended) -> None:
        """Keep what a worker noted while it read a part of the source."""
        if ended.warnings or ended.left_over:
            self._noted[shard.number] = ended.warnings, ended.left_over

    async def aclose(self) -> None:
        await self._team.aclose()
        if self._has_connected:
            with handlers_kept():
                await in_thread(disconnect)

    @property
    def in_flight(self) -> int:
        return sum(status.in_flight for status in self._team.statuses)

    @property
    def loading(self) -> int:
        return sum(status.loading for status in self._team.statuses)

    @property
    def slots(self) -> int:
        return sum(status.slots for status in self._team.statuses)

    @property
    def slowdown(self) -> Slowdown:
        return sum((status.slowdown for status in self._team.all_statuses), Slowdown())

    @property
    def retries(self) -> Mapping[str, int]:
        return sum((Counter(status.retries) for status in self._team.all_statuses), Counter[str]())

    @property
    def workers(self) -> int:
        return len(self._team.workers)

    @property
    def nodes(self) -> int:
        return self._team.nodes

    def warnings(self, source: Source) -> Sequence[str]:
        remarks = source.remarks if isinstance(source, SelectedSource) else ()
        inner = source.source if isinstance(source, SelectedSource) else source
        lines = itertools.chain.from_iterable(lines for lines, _ in self._notes(inner))
        return (*report.merged(lines), *remarks)

    def left_over(self, source: Source) -> Sequence[LeftOver]:
        return left_over.merged(itertools.chain.from_iterable(records for _, records in self._notes(source)))

    def _notes(self, source: Source) -> Iterator[tuple[Sequence[str], Sequence[LeftOver]]]:
        """What was noted of the source: of the whole, and of each part."""
        if self._is_split:
            yield source.warnings, source.left_over
        for _, noted in sorted(self._noted.items()):
            yield noted
