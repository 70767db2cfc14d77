"""Submit a job as batches: every picture without an outcome or a batch is sent once."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import AsyncIterator

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly, job_output
from cutline.engine.batch_manifest import BatchManifest
from cutline.engine.batches.client import BatchService
from cutline.engine.batches.parts import check_job, service_of
from cutline.engine.batches.requests import FileLimits, RequestPipeline
from cutline.engine.batches.upload import Uploader, UploadStats
from cutline.engine.budget import has_budget
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.output import MARK
from cutline.engine.prices import BATCH, price_of
from cutline.engine.progress import ProgressHook
from cutline.engine.run import run_job
from cutline.engine.selection import rules_of, select
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State, open_state, state_folder, state_url
from cutline.errors import BudgetSpent, ConfigError, CutlineError, OutputGone
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.worker_threads import worker_threads

PROBES = 8


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """The result of ``submit_job``; ``stopped`` is the reason that it ended early."""

    output: str
    state: str
    model: str
    stats: UploadStats
    stopped: CutlineError | None = None


async def submit_job(
    job: Job,
    *,
    limits: FileLimits | None = None,
    source: Source | None = None,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Submission:
    """Send what the job's output does not have yet to the service's batch API.

    The same call again, after any death, sends what is missing, and nothing twice. With a budget a few
    pictures are captioned in the ordinary way first, unless the usage of a picture is known from earlier
    ones. ``progress`` and ``stop`` as for ``run_job``.

    Raises:
        ConfigError: the job cannot be sent; nothing was.
        EndpointUnusable, RequestError: the service rejects it, or the rest of it.
        SinkError: the state folder cannot be written.
    """
    check_job(job, key)
    paths = assembly.checked_paths(job)
    limits, stop, progress = limits or FileLimits(), stop or Stop(), progress or (lambda _: None)
    limits.check()
    rules = rules_of(job)
    await _probe(job, key=key, source=source, progress=progress, stop=stop)
    service = service_of(job, key, progress)
    with worker_threads():
        async with _uploader(job, service, key, limits, progress) as uploader:
            output = job_output.output_of(job)
            folder = state_folder(output, job.run.state)
            source = source or assembly.source_of(job, paths)
            source = await select(job, rules, source, folder, progress=progress, stop=stop)
            await uploader.run(source, job, stop)
            return Submission(
                output=output,
                state=str(folder),
                model=uploader.pipeline.chain.name,
                stats=uploader.stats,
                stopped=stop.reason or uploader.ended,
            )


@contextlib.asynccontextmanager
async def _uploader(
    job: Job, service: BatchService, key: Secret | None, limits: FileLimits, progress: ProgressHook
) -> AsyncIterator[Uploader]:
    """An uploader of what is still to be sent, while the output's state folder is locked."""
    chain, stages = assembly.chain_of(job, key, service.endpoint), assembly.stages_of(job)
    filters = StageRunner(stages.filters)  # checks come when the captions are collected
    output = job_output.output_of(job)
    folder = state_folder(output, job.run.state)
    async with contextlib.AsyncExitStack() as closing:
        closing.push_async_callback(stages.aclose)
        closing.push_async_callback(chain.aclose)
        await filters.open(service.say)
        state = closing.enter_context(open_state(output, job.run.state))
        journal = Journal(folder / "journal.jsonl")
        closing.callback(journal.close)
        journal.load()
        manifest = BatchManifest.of(state)
        fingerprint = assembly.fingerprint_of(job, chain, stages)
        manifest.check(fingerprint)
        sink = job_output.sink_of(job, output, state, chain)
        assembly.begin_journal(journal, job, fingerprint, chain, stages)
        closing.callback(sink.close)
        _open(sink, state)
        journal.start()
        manifest.begin(job, fingerprint)
        rules = assembly.rules_of(job, keep_data=sink.needs_picture)
        yield Uploader(
            pipeline=RequestPipeline(service.endpoint, chain, rules, filters, journal=journal, sink=sink),
            journal=journal,
            manifest=manifest,
            limits=limits,
            service=service,
            max_pictures=_max_pictures(job, chain, journal, manifest),
            progress=progress,
        )


def _open(sink: Sink, state: State) -> None:
    """Check that the output may be written; raises OutputExists where it is not this job's."""
    mark = state.read(MARK)
    try:
        sink.check_open(mark["sink"] if mark else None)
    except OutputGone:  # it is rewritten when the replies are collected
        sink.close()
        sink.check_open(None)


async def _probe(
    job: Job, *, key: Secret | None, source: Source | None, progress: ProgressHook, stop: Stop
) -> None:
    """Caption a few pictures in the ordinary way where a budget is set and nothing was paid for yet.

    Raises:
        ConfigError, RunStopped: as ``run_job``; or the replies do not count tokens.
    """
    if not has_budget(job) or _usage_is_known(job):
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
            "none of the first pictures got a reply with token counts, so a batch cannot keep a budget; "
            "remove --budget-tokens and --max-cost"
        )


def _max_pictures(job: Job, chain: Chain, journal: Journal, manifest: BatchManifest) -> int | None:
    """How many pictures may be sent now; None without a budget.

    Raises:
        ConfigError: there is a money budget but no price.
        BudgetSpent: no more may be sent.
    """
    prices = assembly.prices_for(job, chain)
    if not has_budget(job):
        return None
    run, spent = job.run, journal.spent
    out = sum(batch.pictures for batch in manifest.open_batches)
    shares: list[tuple[float, float, float]] = []
    if run.budget_tokens is not None:
        shares.append((run.budget_tokens, spent.usage.total, spent.usage.total))
    if run.max_cost is not None:
        assembly.check_prices(prices, spent)
        price = price_of(chain.name + BATCH, run.prices)
        assert price is not None
        shares.append((run.max_cost, prices.of(spent) or 0.0, price.of(spent.usage)))
    allowed = [(limit - used) / (total / journal.paid) - out for limit, used, total in shares if total]
    if not allowed:
        return None
    left = math.floor(min(allowed))
    if left < 1:
        raise BudgetSpent("the budget allows no more pictures in batches; raise it to continue")
    return left


def _usage_is_known(job: Job) -> bool:
    output = job_output.output_of(job)
    folder = state_folder(output, job.run.state)
    if not (folder / "journal.jsonl").exists() and state_url(output, job.run.state) is None:
        return False
    with open_state(output, job.run.state):
        journal = Journal(folder / "journal.jsonl")
        journal.load()
        return bool(journal.paid)
