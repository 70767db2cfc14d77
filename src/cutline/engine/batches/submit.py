"""From a job to batches at a service: every picture that has no outcome and is in no batch yet, once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator

from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import BatchManifest
from cutline.engine.batches.allowance import allowance, probed
from cutline.engine.batches.parts import check_job, endpoint_of, service_of
from cutline.engine.batches.requests import FileLimits, Keyed, Writer
from cutline.engine.batches.send import Sender
from cutline.engine.batches.upload import Filling, Tally
from cutline.engine.cancellation import Stop
from cutline.engine.fingerprint import mended_by
from cutline.engine.journal import Journal
from cutline.engine.output import MARK
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State, state_folder
from cutline.errors import CutlineError, OutputGone
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.worker_threads import worker_threads


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What a call of ``submit_job`` did, and why it ended early, if it did."""

    output: str
    state: str
    model: str
    tally: Tally
    stopped: CutlineError | None = None


async def submit_job(
    job: Job,
    *,
    limits: FileLimits | None = None,
    source: Source | None = None,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Submitted:
    """Send what the job's output does not have yet to the service's batch API.

    The same call again, after any death, sends what is missing, and nothing twice. With a budget of
    tokens or money a few pictures are asked in the ordinary way first, where it is not known from earlier
    ones what a picture takes. ``progress`` and ``stop`` as for ``run_job``.

    Raises:
        ConfigError: the job cannot be sent; nothing was.
        EndpointUnusable, RequestError: the service does not take it, or no more of it.
        SinkError: the state folder cannot be written.
    """
    check_job(job, key)
    limits = limits or FileLimits()
    limits.check()
    progress, stop = progress or (lambda _: None), stop or Stop()
    await probed(job, key=key, source=source, progress=progress, stop=stop)
    endpoint = endpoint_of(job, key)
    service = service_of(endpoint, job, progress)
    writer = Writer(endpoint)
    chain = assembly.chain_of(job, key, writer)
    stages = assembly.stages_of(job)
    filters = StageRunner(stages.filters)  # checks come when the captions are collected
    output = assembly.output_of(job)
    try:
        await filters.open(lambda line: progress(Progress(waiting_for=line)))
        with worker_threads(), _begun(job, output, chain, stages) as (journal, ledger, sink):
            rules = assembly.rules_of(job, sink, journal, keep_raw=False)
            filling = Filling(
                captioning=Keyed(chain, rules, assembly.loader_of(job), filters),
                writer=writer,
                journal=journal,
                ledger=ledger,
                limits=limits,
                sender=Sender(ledger, service, lambda line: progress(Progress(waiting_for=line))),
                most=allowance(job, chain, journal, ledger),
                progress=progress,
                stop=stop,
            )
            await filling.run(source or assembly.source_of(job), job)
            return Submitted(
                output=output,
                state=str(state_folder(output, job.run.state)),
                model=chain.name,
                tally=filling.tally,
                stopped=stop.reason or filling.ended,
            )
    finally:
        await chain.aclose()
        await stages.aclose()


@contextlib.contextmanager
def _begun(
    job: Job, output: str, chain: Chain, stages: StageRunner
) -> Iterator[tuple[Journal, BatchManifest, Sink]]:
    """The output's state folder, held by us, with everything in it that says what is still to be asked."""
    folder = state_folder(output, job.run.state)
    with State(folder, output) as state, contextlib.ExitStack() as closing:
        journal = Journal(folder / "journal.jsonl")
        closing.callback(journal.close)
        journal.load()
        ledger = BatchManifest.of(state)
        fingerprint = assembly.fingerprint_of(job, chain, stages)
        ledger.check(fingerprint)
        sink = assembly.sink_of(job, output, folder)
        journal.begin(
            fingerprint,
            on_change=job.run.on_change,
            retry_failed=job.run.retry_failed,
            models=chain.models,
            mended=mended_by(job),
            stages=stages.ids,
        )
        closing.callback(sink.close)
        _open(sink, state)
        ledger.begin(job, fingerprint)
        yield journal, ledger, sink


def _open(sink: Sink, state: State) -> None:
    """Find out what lies at the output, and that it may be written; nothing is.

    Raises:
        OutputExists: what lies there is not ours.
    """
    mark = state.read(MARK)
    try:
        sink.check_open(mark["sink"] if mark else None)
    except OutputGone:  # collecting writes it again
        sink.close()
        sink.check_open(None)
