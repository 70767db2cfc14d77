"""Collect the replies of batches into journal and output, through an ordinary run."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from cutline.captioners.hosted.openai import OpenAIChat
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.client import BatchService
from cutline.engine.batches.parts import service_of
from cutline.engine.batches.results import BatchReplies, RecordedCaptioner, is_pending
from cutline.engine.batches.status import BatchStatus, refresh, saved_status, wait
from cutline.engine.cancellation import Stop, unless_stopped
from cutline.engine.journal_store import JournalStore
from cutline.engine.output import without_form
from cutline.engine.pipeline_observer import PipelineObserver
from cutline.engine.prepared_sample import Prepared
from cutline.engine.progress import ProgressHook
from cutline.engine.repeats import Shared
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State
from cutline.errors import RequestError, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.records import JSON, Failure, Outcome, Sample, Skip, Step
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)
UNDER_WAY = "under way in a batch"
IN_NO_BATCH = "in no batch"
"""Reasons to skip a picture until more is collected, or submitted."""
UNDONE = frozenset({"expired", "cancelled", "batch-failed", "unanswered"})
"""Kinds of failure of pictures that the service did not process; the next run sends them again."""
_FORM = "batches"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The result of ``collect_job``; ``report`` is None when there was nothing to collect."""

    status: BatchStatus
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
    source: Source | None = None,
    sink: Sink | None = None,
) -> Collection:
    """Write the available replies to the output; batches that are under way are left for later.

    ``until_all`` waits for all of them. The files at the service are deleted once their content is in the
    journal, unless ``keep_files``. The rest is as for ``run_job``; ``source`` is that of the submission.

    Raises:
        ConfigError: no batch was sent for this output, or the job's prompt or input changed since.
        EndpointUnusable, RequestError: the service cannot be reached.
        SinkError: the output cannot be written; nothing is lost.
    """
    progress, stop = progress or (lambda _: None), stop or Stop()
    status = saved_status(output, state)
    if not any(batch.is_sent for batch in status.open_batches):
        return Collection(status=status, report=None)
    if until_all:
        await unless_stopped(wait(status, key=key, progress=progress), stop)
    job = _without_limits(status.job)
    replies = BatchReplySource(job, service_of(job, key, progress), stop, keep_files=keep_files)
    report = await run_job(
        job, source=source, key=key, progress=progress, stop=stop, replies=replies, sink=sink
    )
    return Collection(status=saved_status(output, state), report=report)


def _without_limits(job: Job) -> Job:
    """The job without what would end it early, as everything is paid for."""
    run = dataclasses.replace(job.run, budget_tokens=None, max_cost=None, stop_after_failures=0)
    run = dataclasses.replace(run, on_change="refuse", retry_failed=False, recheck=False)
    return dataclasses.replace(job, run=run)


class BatchReplySource:
    """The replies for one run; see ``reply_source.ReplySource``."""

    def __init__(self, job: Job, service: BatchService, stop: Stop, *, keep_files: bool) -> None:
        endpoint = self._endpoint = service.endpoint
        self._service = service
        self._stop = stop
        self._keep_files = keep_files
        self._replies = BatchReplies()
        self._state: State | None = None
        self._manifest: BatchManifest | None = None
        chain = assembly.chain_of(job, None, endpoint)
        self.chain = _with_captioner(chain, RecordedCaptioner(endpoint, {}))
        self.fingerprint = assembly.fingerprint_of(job, chain, assembly.stages_of(job))

    async def open(self, state: State) -> None:
        """Fetch what the service has processed.

        Raises:
            JobChanged: the job would now send other requests.
            EndpointUnusable, RequestError: the service cannot be reached.
            Interrupted: the run was stopped.
        """
        self._state = state
        self._manifest = manifest = BatchManifest.of(state)
        manifest.check(self.fingerprint)
        await unless_stopped(self._fetch(manifest), self._stop)
        await in_thread(self._replies.load, manifest)

    async def _fetch(self, manifest: BatchManifest) -> None:
        await refresh(manifest, self._service)
        for batch in manifest.open_batches:
            if batch.stage == "sent" and not batch.under_way:
                for file, path in manifest.answer_files(batch):
                    await self._service.download(file, path)
                manifest.put(batch.changed(stage="fetched"))

    @property
    def form(self) -> JSON:
        """The batches that are collected: with others the output is rewritten."""
        assert self._manifest is not None
        return {_FORM: [[batch.number, batch.status, batch.unread] for batch in self._manifest.open_batches]}

    def pipeline(
        self, rules: SampleRules, stages: StageRunner, journal: JournalStore, sink: Sink
    ) -> SamplePipeline:
        return CollectPipeline(
            self._endpoint, self._replies, self.chain, rules, stages, journal=journal, sink=sink
        )

    async def done(self, report: Report) -> None:
        """Mark the batches whose replies are in the journal as collected."""
        assert self._manifest is not None
        assert self._state is not None
        counts, pending = report.counts, {UNDER_WAY, IN_NO_BATCH}
        if not UNDONE & counts.kinds.keys() and not pending & counts.reasons.keys():
            without_form(self._state, _FORM)  # an ordinary run would have written the same
        await unless_stopped(self._close(self._manifest), self._stop)

    async def _close(self, manifest: BatchManifest) -> None:
        open_batches = [batch for batch in manifest.open_batches if batch.stage == "fetched"]
        fetched = [batch for batch in open_batches if not self._replies.has_unread(batch)]
        for batch in open_batches:
            if batch not in fetched:
                _log.warning(
                    "batch=%s stays open and its files at the service: `cutline batch collect` downloads "
                    "them again, `cutline batch cancel --forget` gives up what cannot be read",
                    batch.id,
                )
            elif not self._keep_files:
                await self._delete(batch)
        manifest.put_all(
            batch.changed(stage="sent", unread=batch.unread + 1)
            for batch in open_batches
            if batch not in fetched
        )
        # At once: after a death in between, the next call would count the others' expired requests only.
        manifest.put_all(batch.changed(stage="collected") for batch in fetched)
        for batch in fetched:
            manifest.forget_files(batch)

    async def _delete(self, batch: Batch) -> None:
        for file in filter(None, (batch.input_file, batch.output_file, batch.error_file)):
            try:
                await self._service.delete(file)
            except (RequestError, RunStopped) as error:
                _log.warning("file=%s of batch=%s stays at the service: %s", file, batch.id, error)


class CollectPipeline(SamplePipeline):
    """A pipeline whose replies are from batches; pending samples get an outcome that is not kept."""

    def __init__(
        self,
        endpoint: OpenAIChat,
        replies: BatchReplies,
        chain: Chain,
        rules: SampleRules,
        stages: StageRunner,
        **stores: Any,
    ) -> None:
        # Filters were applied before the upload.
        super().__init__(chain, rules, StageRunner(checks=stages.checks), **stores)
        self._endpoint = endpoint
        self._replies = replies
        # Replies need no picture; checks and some outputs do.
        self._opens_pictures = rules.keep_data or bool(stages.checks)

    async def load(self, sample: Sample, observer: PipelineObserver | None) -> Picture:
        if self._opens_pictures or sample.location is None:
            return await super().load(sample, observer)
        return self._picture(sample.location)

    def chain_for(self, prepared: Prepared) -> Chain | Skip:
        requests = self._replies.requests(prepared.sample.key)
        if all(request.row is None for request in requests.values()):
            needed = self._needed(prepared)
            if any(name not in requests for name in needed):
                return Skip(key=prepared.sample.key, reason=IN_NO_BATCH)
            if any(is_pending(requests[name]) for name in needed):
                return Skip(key=prepared.sample.key, reason=UNDER_WAY)
        captioner = RecordedCaptioner(self._endpoint, requests, prepared.content)
        return _with_captioner(self.chain, captioner)

    def content_id(self, prepared: Prepared) -> str:
        """As it was sent, where the picture is not read again."""
        sent = next(iter(self._replies.requests(prepared.sample.key).values()), None)
        if prepared.picture.digest or sent is None:
            return super().content_id(prepared)
        return prepared.content.renewed(sent.content_id)

    def _needed(self, prepared: Prepared) -> list[str]:
        """The steps without a reply from an earlier run."""
        return [
            step.name
            for step in self.chain.steps
            if step.find(prepared.known, step.request(prepared.variables)[1]) is None
        ]

    async def caption(
        self,
        sample: Sample,
        known: tuple[Step, ...] = (),
        observer: PipelineObserver | None = None,
        shared: Shared | None = None,
    ) -> tuple[Outcome, Picture | None]:
        outcome, picture = await super().caption(sample, known, observer, shared)
        if not isinstance(outcome, Failure):
            return outcome, picture
        if outcome.kind in UNDONE:
            for step in outcome.steps:  # paid for, and used when the others are sent again
                if observer is not None and not step.counted:
                    observer.step_finished(sample.key, outcome.content_id, step)
            outcome = dataclasses.replace(outcome, attempts=0)
        if outcome.kind == "changed":  # about the picture that was sent
            request = next(iter(self._replies.requests(sample.key).values()))
            outcome = dataclasses.replace(outcome, content_id=request.content_id)
        return outcome, picture

    def is_final(self, outcome: Outcome) -> bool:
        undone = isinstance(outcome, Failure) and outcome.kind in UNDONE and not outcome.useless
        return super().is_final(outcome) and not undone


def _with_captioner(chain: Chain, captioner: RecordedCaptioner) -> Chain:
    return Chain([dataclasses.replace(step, captioner=captioner) for step in chain.steps])
