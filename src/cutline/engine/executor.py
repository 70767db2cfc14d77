"""What does the work of a run: this process, or a cluster."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from cutline import registry
from cutline.credentials import Secret
from cutline.engine.output import OrderedOutput
from cutline.engine.plan import Plan
from cutline.engine.progress import Workload
from cutline.engine.sample_rules import SampleRules
from cutline.engine.shard_task import ShardHost, ShardResult
from cutline.engine.stage_runner import StageRunner
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.records import LeftOver

LOCAL = "local"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What workers do to every sample, and for whom; ``trusted`` is that of the journal."""

    rules: SampleRules
    stages: StageRunner
    sink: Sink
    trusted: bool


class Executor(Workload, Protocol):
    """Works through a plan: journal, output, budget and counts stay in this process.

    Its workload is that of all its workers together.
    """

    async def open(self, say: Callable[[str], None], terms: Terms) -> None:
        """Start the workers and load what they need; raises ConfigError where that is impossible."""

    async def run(self, plan: Plan, output: OrderedOutput, host: ShardHost) -> ShardResult:
        """Bring every sample of the plan to its outcome, or stop when ``host.stop`` is requested.

        Raises SinkError where the output cannot be written.
        """

    async def aclose(self) -> None:
        """Free the workers; called once."""

    @property
    def retries(self) -> Mapping[str, int]:
        """Requests that were sent again, by cause."""

    def warnings(self, source: Source) -> Sequence[str]:
        """What workers noted while they read their parts of ``source``."""

    def left_over(self, source: Source) -> Sequence[LeftOver]:
        """As ``Source.left_over``, of all parts."""


def cluster_executor(job: Job, key: Secret | None) -> Executor | None:
    """The executor of the job's cluster; None for a run in this process.

    Raises:
        ConfigError: there is no such engine, or it cannot do this job.
        MissingExtra: its extra is not installed.
    """
    if job.cluster.engine == LOCAL:
        return None
    made: Executor = registry.load("engines", job.cluster.engine)(job, key)
    return made
