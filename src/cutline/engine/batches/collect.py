"""The answers of batches, taken through an ordinary run into journal and output."""

from __future__ import annotations

import dataclasses
import logging

from cutline.captioners.hosted.openai import OpenAIChat
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.client import BatchService
from cutline.engine.batches.parts import endpoint_of, service_of
from cutline.engine.batches.requests import Keyed
from cutline.engine.batches.results import NOT_SENT, TO_COME, Answers, Collected
from cutline.engine.batches.status import Sent, refreshed, sent_for, unless_stopped, wait
from cutline.engine.cancellation import Stop
from cutline.engine.output import without_form
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.engine.sample_pipeline import Captioning, Rules
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State
from cutline.errors import RequestError, RunStopped
from cutline.imaging import Picture
from cutline.job import Job
from cutline.locations.loader import PictureLoader
from cutline.records import JSON, Failure, Outcome, Sample, Skip, Step
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)
UNDER_WAY = "under way in a batch"
IN_NO_BATCH = "in no batch"
"""Why a picture is left out of an output until more is collected, or asked."""
UNDONE = frozenset({"expired", "cancelled", "batch-failed", "unanswered"})
"""What became of a picture that the service did not get to: it can be asked again."""
_FORM = "batches"
_KEPT_STEPS = UNDONE | {TO_COME, NOT_SENT}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What ``collect_job`` did: ``report`` is that of the run, None when there was nothing to collect."""

    sent: Sent
    report: Report | None


async def collect_job(
    output: str,
    *,
    state: str | None = None,
    key: Secret | None = None,
    until_all: bool = False,
    keep_files: bool = False,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> Collection:
    """Put what the service has answered into the output; what is under way stays for another time.

    ``until_all`` waits for all of it. The files at the service are deleted when everything in them is
    in the journal, unless ``keep_files``. ``progress`` and ``stop`` as for ``run_job``.

    Raises:
        ConfigError: no batch was sent for this output, or the job's prompt or input changed since.
        EndpointUnusable, RequestError: the service cannot be asked.
        SinkError: the output cannot be written; nothing is lost.
    """
    progress, stop = progress or (lambda _: None), stop or Stop()
    sent = sent_for(output, state)
    if not any(batch.is_sent for batch in sent.open_batches):
        return Collection(sent=sent, report=None)
    if until_all:
        await unless_stopped(wait(sent, key=key, progress=progress), stop)
    job = _lenient(sent.job)
    endpoint = endpoint_of(job, key)
    collecting = Collecting(job, endpoint, service_of(endpoint, job, progress), stop, keep_files=keep_files)
    report = await run_job(job, key=key, progress=progress, stop=stop, answers=collecting)
    return Collection(sent=sent_for(output, state), report=report)


def _lenient(job: Job) -> Job:
    """The job without what would end it early: everything is paid for."""
    run = dataclasses.replace(
        job.run,
        budget_tokens=None,
        max_cost=None,
        stop_after_failures=0,
        on_change="refuse",
        retry_failed=False,
    )
    return dataclasses.replace(job, run=run)


class Collecting:
    """The answers for one run; see ``running.Answers``."""

    def __init__(
        self, job: Job, endpoint: OpenAIChat, service: BatchService, stop: Stop, *, keep_files: bool
    ) -> None:
        self._service = service
        self._stop = stop
        self._keep_files = keep_files
        self._answers = Answers()
        self._state: State | None = None
        self._ledger: BatchManifest | None = None
        self.chain = assembly.chain_of(job, None, Collected(endpoint, self._answers))
        stages = assembly.stages_of(job)  # only for what decides their results
        chain = assembly.chain_of(job, None, endpoint)
        self.fingerprint = assembly.fingerprint_of(job, chain, stages)

    async def open(self, state: State) -> None:
        """Fetch what has been answered, now that the output is ours.

        Raises:
            JobChanged: the answers are to other questions than the job would ask now.
            EndpointUnusable, RequestError: the service cannot be asked.
            Interrupted: the run was stopped meanwhile.
        """
        self._state = state
        self._ledger = ledger = BatchManifest.of(state)
        ledger.check(self.fingerprint)
        await unless_stopped(self._fetch(ledger), self._stop)
        await in_thread(self._answers.load, ledger)

    async def _fetch(self, ledger: BatchManifest) -> None:
        await refreshed(ledger, self._service)
        for batch in ledger.open_batches:
            if batch.stage == "sent" and not batch.under_way:
                for file, path in ledger.answer_files(batch):
                    await self._service.download(file, path)
                ledger.put(batch.changed(stage="fetched"))

    @property
    def form(self) -> JSON:
        """What decides the output besides the job: with more answers it is written anew."""
        assert self._ledger is not None
        return {_FORM: [[batch.number, batch.status] for batch in self._ledger.open_batches]}

    def captioning(self, rules: Rules, loader: PictureLoader, stages: StageRunner) -> Captioning:
        return TakingIn(self.chain, rules, loader, stages, answers=self._answers)

    async def done(self, report: Report) -> None:
        """All answers are in the journal: close the books of the batches that have ended."""
        assert self._ledger is not None
        assert self._state is not None
        if not UNDONE & set(report.counts.kinds) and not report.counts.reasons.keys() & {
            UNDER_WAY,
            IN_NO_BATCH,
        }:
            without_form(self._state, _FORM)  # an ordinary run would have written the same
        await unless_stopped(self._close(self._ledger), self._stop)

    async def _close(self, ledger: BatchManifest) -> None:
        for batch in ledger.open_batches:
            if batch.stage == "fetched":
                if not self._keep_files:
                    await self._delete(batch)
                ledger.put(batch.changed(stage="collected"))
                ledger.forget_files(batch)

    async def _delete(self, batch: Batch) -> None:
        for file in filter(None, (batch.input_file, batch.output_file, batch.error_file)):
            try:
                await self._service.delete(file)
            except (RequestError, RunStopped) as error:
                _log.warning("file=%s of batch=%s stays at the service: %s", file, batch.id, error)


class TakingIn(Keyed):
    """Captioning from answers that came; a picture without one gets no outcome that is kept."""

    def __init__(
        self,
        chain: Chain,
        rules: Rules,
        loader: PictureLoader,
        stages: StageRunner,
        *,
        answers: Answers,
    ) -> None:
        super().__init__(chain, rules, loader, StageRunner(checks=stages.checks))
        self._answers = answers
        # Answers need no picture; checks and some outputs do. Filters saw it before it was sent.
        self._opens_pictures = rules.keep_data or bool(stages.checks)

    async def load(self, sample: Sample) -> Picture:
        location = sample.location
        if self._opens_pictures or location is None:
            return await super().load(sample)
        return self.picture_at(location, sample)

    async def caption(self, sample: Sample, known: tuple[Step, ...] = ()) -> tuple[Outcome, Picture | None]:
        outcome, picture = await super().caption(sample, known)
        if not isinstance(outcome, Failure):
            return outcome, picture
        if outcome.kind in _KEPT_STEPS and self.on_step is not None:
            for step in outcome.steps:  # paid for, and of use when the others are asked
                if not step.counted:
                    self.on_step(sample.key, outcome.content_id, step)
        if outcome.kind == TO_COME:
            return Skip(key=sample.key, reason="under way in a batch"), None
        if outcome.kind == NOT_SENT:
            return Skip(key=sample.key, reason="in no batch"), None
        if outcome.kind == "changed":  # of the picture that was sent: as it is now, it is still to be asked
            sent = next(iter(self._answers.of(sample.key).values()))
            return dataclasses.replace(outcome, content_id=sent.content_id), None
        if outcome.kind in UNDONE:
            outcome = dataclasses.replace(outcome, attempts=0)
        return outcome, picture

    def is_final(self, outcome: Outcome) -> bool:
        undone = isinstance(outcome, Failure) and outcome.kind in UNDONE and not outcome.useless
        return super().is_final(outcome) and not undone
