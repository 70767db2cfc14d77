"""How many pictures a budget lets into batches: what they take is known only from pictures asked before."""

from __future__ import annotations

import dataclasses
import math

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import BatchManifest
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.prices import BATCH, price_of
from cutline.engine.progress import ProgressHook
from cutline.engine.run import run_job
from cutline.engine.state import State, state_folder
from cutline.errors import BudgetSpent, ConfigError
from cutline.interfaces import Source
from cutline.job import Job

PROBES = 8


async def probed(
    job: Job, *, key: Secret | None, source: Source | None, progress: ProgressHook, stop: Stop
) -> None:
    """Caption a few pictures in the ordinary way where a budget is set and nothing was paid for yet.

    Raises:
        ConfigError, RunStopped: as ``run_job``; or what a picture takes cannot be found out.
    """
    if not _has_budget(job) or _is_known(job):
        return
    limit = assembly.limit_of(job)
    few = dataclasses.replace(job.input, image_limit=min(PROBES, limit or PROBES))
    report = await run_job(
        dataclasses.replace(job, input=few), source=source, key=key, progress=progress, stop=stop
    )
    if report.stopped is not None:
        raise report.stopped
    if not report.spent.total:
        raise ConfigError(
            "what a picture takes is not known, so a batch cannot keep a budget: "
            "none of the first pictures got an answer that counts tokens"
        )


def allowance(job: Job, chain: Chain, journal: Journal, ledger: BatchManifest) -> int | None:
    """The most pictures that may be sent now; None where there is no budget.

    Raises:
        ConfigError: there is a money budget but no price.
        BudgetSpent: not one may.
    """
    prices = assembly.prices_for(job, chain)
    if not _has_budget(job):
        return None
    run, spent = job.run, journal.spent
    out = sum(batch.pictures for batch in ledger.open_batches)
    shares: list[tuple[float, float, float]] = []
    if run.budget_tokens is not None:
        shares.append((run.budget_tokens, spent.usage.total, spent.usage.total))
    if run.max_cost is not None:
        assembly.check_prices(prices, spent)
        price = price_of(chain.name + BATCH, run.prices)
        assert price is not None
        shares.append((run.max_cost, prices.of(spent) or 0.0, price.of(spent.usage)))
    most = [
        (limit - used) / (all_together / journal.paid) - out
        for limit, used, all_together in shares
        if all_together
    ]
    if not most:
        return None
    left = math.floor(min(most))
    if left < 1:
        raise BudgetSpent("the budget allows no more pictures in batches; raise it to go on")
    return left


def _has_budget(job: Job) -> bool:
    return job.run.max_cost is not None or job.run.budget_tokens is not None


def _is_known(job: Job) -> bool:
    output = assembly.output_of(job)
    folder = state_folder(output, job.run.state)
    if not (folder / "journal.jsonl").exists():
        return False
    with State(folder, output):
        journal = Journal(folder / "journal.jsonl")
        journal.load()
        return bool(journal.paid)
