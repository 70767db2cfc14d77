"""Plan a run: which samples are left, and the output opened to continue after the others."""

from __future__ import annotations

import dataclasses
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterator

from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.content import ContentReader
from cutline.engine.output import OrderedOutput, SourceDigest
from cutline.engine.shard_task import ShardTask
from cutline.errors import CutlineError, OutputExists, OutputGone
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import JSON, Sample
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is left to do; ``samples`` are the task's, whose listing has begun."""

    task: ShardTask
    samples: Iterator[Sample]


async def plan_run(
    job: Job,
    source: Source,
    output: OrderedOutput,
    stop: Stop,
    open_models: Callable[[], Awaitable[None]],
) -> Plan | None:
    """Decide what is left to do, load the models for it, and open the output.

    None when the run was stopped before the output was opened.
    """
    # What is behind the mark is not looked at, so a recheck begins with the first sample.
    mark, limit = None if job.run.recheck else output.mark(), assembly.limit_of(job)
    samples, keys = await in_thread(_remaining, source, limit, mark, output.contents, stop)
    # A source that cannot be listed fails before the output is touched.
    first = await in_thread(lambda: list(itertools.islice(samples, 1)))
    if first:
        await open_models()
    if stop.requested:
        return None
    samples = itertools.chain(first, samples)
    try:
        await in_thread(output.open, mark if keys else None, keys)
    except (OutputGone, OutputExists) as error:
        if keys is None or (isinstance(error, OutputExists) and job.output.existing != "overwrite"):
            raise
        _log.warning("output is rewritten from the journal: %s", error)
        await in_thread(output.close)
        samples, keys = await in_thread(_remaining, source, limit, None, output.contents, stop)
        await in_thread(output.open, None, None)
    rules = assembly.rules_of_run(job, output.sink)
    start = keys.count if keys else 0
    return Plan(task=ShardTask(job=job, source=source, rules=rules, start=start, stop=limit), samples=samples)


def _remaining(
    source: Source, limit: int | None, mark: JSON | None, contents: ContentReader, stop: Stop
) -> tuple[Iterator[Sample], SourceDigest | None]:
    """The samples after the mark's, if the source still begins as it did; else all of them."""
    samples = assembly.samples_of(source, limit)
    if mark is not None:
        keys = SourceDigest()
        for sample in itertools.islice(samples, mark["outcomes"]):
            keys.add(sample.key, contents.content(sample).unread)
            if stop.requested:
                return iter(()), None
        if keys.count == mark["outcomes"] and keys.digest == mark["digest"]:
            return samples, keys
        # Pictures were added or removed: the output is rewritten from the journal, in the new order.
        samples = assembly.samples_of(source, limit)
    return samples, None


def sample_count(source: Source, limit: int | None) -> int | None:
    """How many samples a run takes; None when that is not known without reading them."""
    try:
        count = source.count()
    except CutlineError:
        return None  # the listing raises it
    return count if count is None or limit is None else min(count, limit)
