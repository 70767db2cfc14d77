"""A shard that is run from its pickled task, as a process on another machine would."""

from __future__ import annotations

import asyncio
import json
import pickle
from pathlib import Path

from cutline.engine import assembly
from cutline.engine.budget import Budget
from cutline.engine.cancellation import Stop
from cutline.engine.outcome_json import outcome_to_json
from cutline.engine.prices import Prices
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.shard import run_shard
from cutline.engine.shard_task import ShardHost
from cutline.engine.stats import RunStats
from cutline.serialization import encode_json
from cutline.worker_threads import worker_threads


class MemoryJournal:
    """What a shard appends, by key."""

    trusted = has_repeats = False

    def __init__(self):
        self.outcomes = {}

    def get(self, key):
        return self.outcomes.get(key)

    def steps(self, key):
        return ()

    def earlier(self, key):
        return None

    async def alike(self, key, wanted):
        return None

    def append(self, outcome):
        self.outcomes[outcome.key] = outcome

    def append_content(self, key, content_id):
        pass

    def append_step(self, key, content_id, step):
        pass

    def sync(self):
        pass


class ListOutput:
    """Outcomes in the order in which they are written."""

    needs_picture = False

    def __init__(self, folder):
        self.folder = folder
        self.outcomes = []

    def write(self, entries):
        self.outcomes.extend(outcome for _, outcome, _ in entries)
        return []

    def commit(self):
        pass


def without_times(outcome):
    """An outcome as JSON, without what differs from run to run."""
    data = json.loads(encode_json(outcome_to_json(outcome)))
    for step in data.get("steps", ()):
        step["reply"].pop("seconds", None)
    return data


async def _run(task, folder):
    chain, stages = assembly.chain_of(task.job, None), assembly.stages_of(task.job)
    stats, journal, output = RunStats(models=chain.models), MemoryJournal(), ListOutput(folder)
    pipeline = SamplePipeline(chain, task.rules, stages, journal=journal)
    slots = Budget(None, None, prices=Prices(()), stats=stats)
    host = ShardHost(journal=journal, slots=slots, stats=stats, stop=Stop())
    with worker_threads():
        try:
            await chain.open(lambda line: None)
            await stages.open(lambda line: None)
            result = await run_shard(task, pipeline, output, host)
        finally:
            await pipeline.aclose()
            await chain.aclose()
            await stages.aclose()
    assert result.complete
    assert not result.waiting
    assert {outcome.key for outcome in output.outcomes} >= journal.outcomes.keys()
    return [without_times(outcome) for outcome in output.outcomes]


def run_pickled(data, folder):
    """The outcomes of a pickled task, in order."""
    return asyncio.run(_run(pickle.loads(data), Path(folder)))
