"""One sample to its outcome: load the picture, filter, caption, check."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cutline.chain import Chain, ChainResult, NoteStep, StepFailed
from cutline.engine.check_retries import CaptionCheck, CheckRetries, KeepSteps
from cutline.engine.content import ContentId, reader_for
from cutline.engine.existing_texts import ExistingTexts
from cutline.engine.journal_store import JournalStore
from cutline.engine.pipeline_observer import PipelineObserver
from cutline.engine.prepared_sample import Prepared
from cutline.engine.repeats import Shared, is_same_picture, shared_result
from cutline.engine.sample_outcomes import UNWRITABLE
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stage_runner import Checked, StageRunner
from cutline.errors import SampleError
from cutline.imaging import Picture
from cutline.interfaces import Draft, Sink
from cutline.locations.fetched import FetchedPictures
from cutline.locations.loader import PictureLoader
from cutline.prompts import sample_variables
from cutline.records import Caption, Failure, Location, Outcome, Sample, Skip, Step


class SamplePipeline:
    """Turns samples into outcomes; a faulty sample becomes a Failure and is not raised.

    ``sink`` is the output, which may have captions already; ``journal`` has earlier runs' outcomes.
    """

    def __init__(
        self,
        chain: Chain,
        rules: SampleRules,
        stages: StageRunner | None = None,
        *,
        retries: CheckRetries | None = None,
        journal: JournalStore | None = None,
        sink: Sink | None = None,
        fetched: FetchedPictures | None = None,
    ) -> None:
        self.chain = chain
        self.stages = stages or StageRunner()
        self.rules = rules
        self._retries = retries
        self._loader = PictureLoader(
            allow_private=rules.allow_private_urls, user_agent=rules.user_agent, fetched=fetched
        )
        self._downloads: set[asyncio.Task[object]] = set()
        self.contents = reader_for(chain, sink)
        needs_text = any("text" in step.prompt.variables for step in chain.steps)
        self._texts = ExistingTexts(rules.existing, sink, journal, needed=needs_text)
        self.can_share = not (self._texts.are_own and needs_text)  # these texts are in no content id

    async def caption(
        self,
        sample: Sample,
        known: tuple[Step, ...] = (),
        observer: PipelineObserver | None = None,
        shared: Shared | None = None,
    ) -> tuple[Outcome, Picture | None]:
        """The sample's outcome, and its picture if it has a caption.

        ``known`` are earlier replies about it, ``shared`` is what came of the same request for another row.

        Raises:
            RunStopped: no picture can be captioned until the user changes something.
        """
        if shared is not None and not await is_same_picture(shared, self.contents.content(sample)):
            shared = None
        prepared = await self.prepare(sample, known, observer, shared)
        if not isinstance(prepared, Prepared):
            return prepared, None
        try:
            if self._retries is not None:
                self._retries.check_variables(prepared.variables)
            chain = self.chain_for(prepared) if shared is None else self.chain
            if isinstance(chain, Skip):
                return chain, None
            result = await self._run(chain, prepared, observer) if shared is None else shared_result(shared)
            result, checked = await self._check(chain, prepared, result, observer)
        except (MemoryError, StepFailed, SampleError) as error:
            return self._failure(sample, self.content_id(prepared), error, known), None
        steps = self.rules.kept_steps(result.steps)
        if isinstance(checked, Skip):
            return dataclasses.replace(checked, steps=steps, useless=result.useless), None
        caption = Caption(
            key=sample.key,
            text=self.rules.finish(checked.text, prepared.existing),
            draft=checked.text if checked.notes else None,
            steps=steps,
            fields=checked.fields,
            checks=checked.notes,
            existing=prepared.existing or None,
            content_id=self.content_id(prepared),
            step=result.caption.name if len(self.chain.steps) > 1 else "",
            missing_steps=result.missing,
            useless=result.useless,
        )
        return caption, prepared.picture

    async def prepare(
        self,
        sample: Sample,
        known: tuple[Step, ...] = (),
        observer: PipelineObserver | None = None,
        shared: Shared | None = None,
    ) -> Prepared | Outcome:
        """Policy, picture and filters; the outcome where these decide it. Raises as ``caption``."""
        content = self.contents.content(sample)
        try:
            existing = self._texts.decide(sample, content)
        except SampleError as error:
            return self._failure(sample, content.id(), error, ())
        if isinstance(existing, Skip | Failure):
            return existing
        content_id = content.id()
        try:
            picture = await self._open(sample, observer, shared)
            skip = await self.stages.filter(sample, picture, content_id)
            content_id = content.id_of(picture)
            if skip is not None:
                return dataclasses.replace(skip, content_id=content_id)
            used = self.chain.uses_variables if self._retries is None else self._retries.needs(self.chain)
            variables = sample_variables(sample) if used else {}
        except (MemoryError, SampleError) as error:
            return self._failure(sample, content_id, error, known)
        if existing is not None:
            variables["text"] = existing
        return Prepared(
            sample=sample,
            content=content,
            picture=picture,
            existing=existing,
            variables=variables,
            known=known,
        )

    def content_id(self, prepared: Prepared) -> str:
        """The id of the picture and values that the sample's request is made from."""
        return prepared.content.id_of(prepared.picture)

    def reuse(self, sample: Sample, earlier: Outcome) -> Outcome:
        """An earlier run's outcome with the trigger word, prefix, suffix and policy of this one."""
        if not isinstance(earlier, Caption):
            return earlier
        earlier = self.rules.refinish(earlier)
        return self._texts.unwritable(sample, earlier.text) or earlier

    @property
    def downloads(self) -> int:
        """The number of samples whose picture is being downloaded."""
        return len(self._downloads)

    def cancel_downloads(self) -> None:
        """Cancel the samples that wait for a download, for which nothing is paid yet."""
        for task in self._downloads:
            task.cancel()

    async def _open(
        self, sample: Sample, observer: PipelineObserver | None, shared: Shared | None
    ) -> Picture:
        """As ``load``; a picture whose caption is there is not downloaded for nothing."""
        stages = (*self.stages.filters, *self.stages.checks)
        if shared is None or sample.location is None or stages or self.rules.keep_data:
            return await self.load(sample, observer)
        picture = self._picture(sample.location)
        picture.digest = ContentId.parse(shared.content_id).digest
        return picture

    async def load(self, sample: Sample, observer: PipelineObserver | None) -> Picture:
        """The sample's picture; local ones are read when first needed. Raises PictureError."""
        picture = await self.load_changed(sample, "", observer)
        assert picture is not None
        return picture

    async def load_changed(
        self, sample: Sample, validator: str, observer: PipelineObserver | None
    ) -> Picture | None:
        """As ``load``, but None where the server still has the version that the download once had."""
        task = asyncio.current_task()
        assert task is not None
        try:
            if sample.location is not None and sample.location.url() is not None:
                self._downloads.add(task)
                if observer is not None:
                    observer.download_started()
            location = await self._loader.locate_changed(sample, validator)
        finally:
            self._downloads.discard(task)
        return None if location is None else self._picture(location)

    def _picture(self, location: Location) -> Picture:
        return Picture(location, max_pixels=self.rules.max_pixels, keep_data=self.rules.keep_data)

    def chain_for(self, prepared: Prepared) -> Chain | Skip:  # noqa: ARG002 - for subclasses
        """The chain that captions a sample, or why none does."""
        return self.chain

    async def _run(
        self,
        chain: Chain,
        prepared: Prepared,
        observer: PipelineObserver | None,
        again: tuple[Mapping[str, Any], tuple[Step, ...]] | None = None,
    ) -> ChainResult:
        """The steps' replies and the caption among them; raises StepFailed where there is none.

        ``again``: the variables and known steps of a retry, in place of those of the sample.
        """
        note: NoteStep | None = None
        if observer is not None and len(self.chain.steps) > 1:

            def note(step: Step) -> None:
                (kept,) = self.rules.kept_steps((step,))
                observer.step_finished(prepared.sample.key, self.content_id(prepared), kept)

        variables, known = again or (prepared.variables, prepared.known)
        try:
            return await chain.run(prepared.picture, variables, known=known, note=note)
        except asyncio.CancelledError:  # a captioner that cancels itself fails the sample, not the run
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise StepFailed("captioner", "a captioner cancelled itself") from None

    async def _check(
        self, chain: Chain, prepared: Prepared, result: ChainResult, observer: PipelineObserver | None
    ) -> tuple[ChainResult, Checked | Skip]:
        """The caption after the checks, and the replies that it is from; where these fail, they are kept."""
        if not self.stages.checks:
            return result, Checked(text=result.caption.text, fields=result.caption.fields)
        keep: KeepSteps | None = None
        if observer is not None:

            def keep(steps: Sequence[Step]) -> None:
                for kept in self.rules.kept_steps(tuple(steps)):
                    observer.step_finished(prepared.sample.key, self.content_id(prepared), kept)
                observer.check_budget()

        draft = Draft(
            sample=prepared.sample,
            picture=prepared.picture,
            text=result.caption.text,
            fields=result.caption.fields,
            steps=result.steps,
        )
        check = CaptionCheck(
            stages=self.stages,
            retries=self._retries,
            chain=chain,
            variables=prepared.variables,
            known=prepared.known,
            run=lambda chain, *again: self._run(chain, prepared, observer, again),
            keep=keep,
        )
        return await check.check(draft, result, lambda: self.content_id(prepared))

    def _failure(
        self,
        sample: Sample,
        content_id: str,
        error: MemoryError | SampleError | StepFailed,
        known: tuple[Step, ...],
    ) -> Failure:
        """The sample's failure, with the ``known`` steps that did not finish again."""
        if isinstance(error, MemoryError):
            error = SampleError("out-of-memory", "the picture needs more memory than there is")
        if isinstance(error, SampleError):
            error = StepFailed(error.kind, str(error), attempts=0)
        wanted = {step.name for step in self.chain.steps} - {step.name for step in error.steps}
        earlier = (
            dataclasses.replace(step, counted=True) for step in known if step.text and step.name in wanted
        )
        return Failure(
            key=sample.key,
            content_id=content_id,
            kind=error.kind,
            message=str(error),
            attempts=error.attempts,
            steps=self.rules.kept_steps((*error.steps, *earlier)),
            useless=error.useless,
            reply=None if error.reply is None else self.rules.kept_reply(error.reply),
            step=error.step,
            digest=error.digest,
        )

    def is_final(self, outcome: Outcome) -> bool:
        """Whether the journal keeps it; skips by policy and what a text file refuses are decided again."""
        if isinstance(outcome, Failure):
            return outcome.kind != UNWRITABLE or bool(outcome.steps or outcome.useless)
        return not isinstance(outcome, Skip) or bool(outcome.stage)

    async def aclose(self) -> None:
        await self._loader.aclose()
