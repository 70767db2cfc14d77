"""The work of a run in this process."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from cutline.chain import Chain
from cutline.engine.check_retries import retries_of
from cutline.engine.executor import Executor, Terms
from cutline.engine.output import OrderedOutput
from cutline.engine.plan import Plan
from cutline.engine.reply_source import ReplySource
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.shard import run_shard
from cutline.engine.shard_task import ShardHost, ShardResult
from cutline.engine.stage_runner import StageRunner
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import LeftOver, Slowdown


class LocalExecutor(Executor):
    """Works through a plan as one shard, with a chain and stages that the caller closes."""

    workers = nodes = 0

    def __init__(self, job: Job, chain: Chain, stages: StageRunner, replies: ReplySource | None) -> None:
        self._chain = chain
        self._stages = stages
        self._replies = replies
        self._retries = retries_of(job, chain, stages) if replies is None else None
        self._pipeline: SamplePipeline | None = None
        # Captioners may be shared with other runs.
        self._slowdown_before, self._retries_before = chain.slowdown, chain.retries

    async def open(self, say: Callable[[str], None], terms: Terms) -> None:  # noqa: ARG002 - known from the plan
        for part in (self._chain, self._stages):
            await part.open(say)

    async def run(self, plan: Plan, output: OrderedOutput, host: ShardHost) -> ShardResult:
        rules, journal, sink = plan.task.rules, host.journal, output.sink
        if self._replies is not None:
            pipeline = self._replies.pipeline(rules, self._stages, journal, sink)
        else:
            pipeline = SamplePipeline(
                self._chain,
                rules,
                self._stages,
                retries=self._retries,
                journal=journal,
                sink=sink,
                fetched=host.fetched,
            )
        self._pipeline = pipeline
        try:
            return await run_shard(plan.task, pipeline, output, host, plan.samples)
        finally:
            await pipeline.aclose()

    async def aclose(self) -> None:
        """Chain and stages are the caller's."""

    @property
    def in_flight(self) -> int:
        return self._chain.in_flight

    @property
    def loading(self) -> int:
        return 0 if self._pipeline is None else self._pipeline.downloads

    @property
    def slots(self) -> int:
        return self._chain.slots

    @property
    def slowdown(self) -> Slowdown:
        return self._chain.slowdown.since(self._slowdown_before)

    @property
    def retries(self) -> Mapping[str, int]:
        return self._chain.retries - self._retries_before

    def warnings(self, source: Source) -> Sequence[str]:
        return source.warnings

    def left_over(self, source: Source) -> Sequence[LeftOver]:
        return source.left_over
