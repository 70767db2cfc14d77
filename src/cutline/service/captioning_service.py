"""Captions for all requests of the process: one set of captioners, a pipeline for each set of options."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import functools
import logging
from collections.abc import Callable
from typing import Final, Protocol

from cutline.captioners.factory import check_prompt
from cutline.captioners.plugins import load_plugins
from cutline.captioners.pool import CaptionerPool
from cutline.chain import Chain, ChainStep
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.check_retries import retries_of
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.errors import ConfigError, PictureError, RunStopped
from cutline.interfaces import Captioner, Say
from cutline.job import Job
from cutline.options import CheckOptions
from cutline.prompts import Prompt, library_prompts
from cutline.prompts.structured import check_schema
from cutline.records import Failure, Outcome, Sample
from cutline.service.admission import Admission
from cutline.service.caption_job import job_from, job_with
from cutline.service.caption_options import CaptionOptions
from cutline.service.chains import Chains, check_variables
from cutline.service.conversation import Conversation
from cutline.service.lifecycle.recovery import Recovery
from cutline.service.pictures import Downloads
from cutline.service.settings import Settings
from cutline.service.telemetry.tracing import Tracing, set_error
from cutline.slots import CallersApart, and_preparing

_log = logging.getLogger("cutline.service")
MAX_PIPELINES: Final = 64  # that are kept: most clients send the same options


class Record(Protocol):
    """Takes an outcome, and the job and index of its picture if it is of a job."""

    def __call__(self, outcome: Outcome, place: tuple[str, int] | None = None) -> None: ...


class CaptioningService:
    """Captions pictures for requests; captioners batch what comes from many clients."""

    def __init__(self, settings: Settings, admission: Admission, record: Record, tracing: Tracing) -> None:
        """Each route calls ``record`` with a picture's final outcome."""
        self._settings = settings
        self.record = record
        self.tracing = tracing
        self._downloads = Downloads(
            admission, allow_private=settings.allow_private_urls, user_agent=settings.user_agent
        )
        self._job = job_from(settings)
        load_plugins(self._job.model.plugin)  # a process of --workers has none yet
        self._stages = assembly.stages_of(self._job)
        self._stages.refuse_comparisons("the service, which captions each picture alone")
        self._pool = CaptionerPool()
        self._captioners: list[Captioner] = []
        key = settings.model_key
        self.captioner = self._captioner_for(self._job, Secret(key.get_secret_value()) if key else None)
        self.chains = Chains(settings.chain, self._job, self._captioner_for)
        for chain in self.chains:
            retries_of(self._job, chain, self._stages)
        self._pipelines: collections.OrderedDict[bytes, SamplePipeline] = collections.OrderedDict()
        self._slots = CallersApart(lambda: and_preparing(self.captioner.slots))
        self._checking = asyncio.Semaphore(1)
        self._recovery = Recovery(self._reopen)
        if self._job.checks != CheckOptions():
            self._new_pipeline(CaptionOptions())  # so that the operator learns what cannot be retried
        self.ready = False
        self.aliases = settings.model_alias

    @functools.cached_property
    def prompts(self) -> list[str]:
        """The library's prompts that the model supports; none if it ignores all prompts."""
        profile, supported = self.captioner.profile, []
        for name in sorted(library_prompts()) if profile.instructable or profile.ignores else ():
            with contextlib.suppress(ConfigError):
                self._new_pipeline(CaptionOptions(prompt=name))
                supported.append(name)
        return supported

    @property
    def slots_in_use(self) -> int:
        """Pictures that are before the model or in a chain."""
        return self._slots.taken + self.chains.slots_in_use

    async def open(self, say: Say) -> None:
        """Load the models; raises ConfigError as they do."""
        for captioner in self._captioners:
            await captioner.open(say)
        await self._stages.open(say)
        if any(captioner.name == "pixels:ocr" for captioner in self._captioners):
            say("pixels:ocr reads the text in pictures, which takes most of its time; pixels does not")
        self.ready = True

    async def _reopen(self) -> None:
        """Load a model that was lost; ``ready`` is False while it takes time."""

        def say(line: str) -> None:
            self.ready = False
            _log.warning("%s", line)

        await self.open(say)

    async def downloaded(self, sample: Sample, stack: contextlib.AsyncExitStack) -> Sample | Failure:
        """The sample with its picture's bytes, which count as held until the stack is closed."""
        try:
            return await stack.enter_async_context(self._downloads.local(sample))
        except PictureError as error:
            return Failure(key=sample.key, kind=error.kind, message=str(error))

    async def caption(
        self, sample: Sample, options: CaptionOptions, conversation: Conversation | None = None
    ) -> Outcome:
        """The sample's outcome; raises ConfigError for unsupported options, RunStopped without a model.

        ``conversation`` is one about the sample. ``max_tokens`` is an upper bound, and where the model has
        less room, that is the bound.
        """
        await self.check_schema(options)
        outcome = await self._captioned(sample, options, conversation)
        if isinstance(outcome, Failure) and options.max_tokens is not None:
            if outcome.kind == "prompt-too-long":
                unbounded = options.model_copy(update={"max_tokens": None})
                outcome = await self._captioned(sample, unbounded, conversation)
            elif outcome.kind == "truncated" and options.max_tokens > (most := self._settings.max_tokens):
                message = f"the answer was cut after {most:,} tokens, the most that this service allows"
                outcome = dataclasses.replace(outcome, message=message)
        return outcome

    async def _captioned(
        self, sample: Sample, options: CaptionOptions, conversation: Conversation | None
    ) -> Outcome:
        slots = self._slots if options.chain is None else self.chains[options.chain].slots
        with self.tracing.span("caption") as span:
            try:
                if conversation is None or not conversation.turns:
                    outcome = await self._outcome(sample, self.pipeline(options), slots)
                else:
                    outcome = await self._answer(conversation, options)
            except RunStopped:
                self._recovery.begin()
                raise
            if isinstance(outcome, Failure):
                set_error(span, outcome.kind)
        return outcome

    async def _answer(self, conversation: Conversation, options: CaptionOptions) -> Outcome:
        """The outcome of a conversation's sample, once its other pictures are here."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                shown = await self._downloads.examples(
                    conversation.pictures, stack, max_pixels=self._settings.max_pixels
                )
            except PictureError as error:
                return Failure(key=conversation.sample.key, kind=error.kind, message=str(error))
            pipeline = self._new_pipeline(options, lambda prompt: conversation.prompt(prompt, shown))
            return await self._outcome(conversation.sample, pipeline, self._slots)

    def _bounded(self, options: CaptionOptions) -> CaptionOptions:
        """The options with ``max_tokens`` within the service's limit."""
        tokens = min(options.max_tokens or 0, self._settings.max_tokens) or None
        return options if tokens == options.max_tokens else options.model_copy(update={"max_tokens": tokens})

    async def _outcome(self, sample: Sample, pipeline: SamplePipeline, slots: CallersApart) -> Outcome:
        local: Sample | None = None
        try:
            async with (
                asyncio.timeout(self._settings.request_seconds),
                self._downloads.local(sample) as local,
                slots.one(),
            ):
                outcome, _ = await pipeline.caption(local)
                return outcome
        except PictureError as error:
            return Failure(key=sample.key, kind=error.kind, message=str(error))
        except TimeoutError:
            if local is None:
                return Failure(key=sample.key, kind="fetch", message="no time was left for its download")
            return Failure(key=sample.key, kind="timeout", message="the model had no time for it")

    async def check_schema(self, options: CaptionOptions) -> None:
        """Check the schema in a thread, one at a time; later checks find it done. Raises ConfigError."""
        if options.json_schema is None or options.to_json() in self._pipelines:
            return
        async with self._checking:
            await asyncio.to_thread(check_schema, options.json_schema)

    def ignores(self, options: CaptionOptions) -> bool:
        """Whether the model would return the same without the prompt."""
        ignores = self.captioner.profile.ignores
        if ignores is None or options.prompt is None:
            return False
        return any(map(ignores, assembly.prompts_of(job_with(self._job, options), None)))

    def pipeline(self, options: CaptionOptions) -> SamplePipeline:
        """The pipeline for these options, new or kept; raises ConfigError for unsupported options."""
        key = options.to_json()
        pipeline = self._pipelines.get(key)
        if pipeline is None:
            pipeline = self._pipelines[key] = self._new_pipeline(options)
            if len(self._pipelines) > MAX_PIPELINES:
                self._pipelines.popitem(last=False)
        self._pipelines.move_to_end(key)
        return pipeline

    def _captioner_for(self, job: Job, key: Secret | None) -> Captioner:
        captioner = self.tracing.traced(assembly.captioner_of(job, key, pool=self._pool))
        self._captioners.append(captioner)
        return captioner

    def _new_pipeline(
        self, options: CaptionOptions, extended: Callable[[Prompt], Prompt] | None = None
    ) -> SamplePipeline:
        if options.chain is not None:
            return self._chain_pipeline(options.chain, options)
        options = self._bounded(options)
        job = job_with(self._job, options)
        assembly.check_pixels_prompts(job)
        captioner = self.captioner
        if options.parameters:
            captioner = captioner.adjusted(options.parameters)
        if self.ignores(options):
            raise ConfigError(
                f"{captioner.name} follows no instructions, and uses only the form of a prompt: use "
                "short, alt-text or tags, or a schema, or remove prompt"
            )
        prompts = assembly.prompts_of(job, captioner.profile.default_prompt)
        if extended is not None:
            prompts = tuple(map(extended, prompts))
        for prompt in prompts:
            check_prompt(captioner, prompt, language=job.prompts.language)
        steps = [ChainStep(name=prompt.name, captioner=captioner, prompt=prompt) for prompt in prompts]
        chain = Chain(steps)
        check_variables(chain)
        if extended is not None:  # what is answered in a conversation is not a caption
            return SamplePipeline(chain, assembly.rules_of(job))
        return self._checked(job, chain)

    def _checked(self, job: Job, chain: Chain) -> SamplePipeline:
        """The pipeline with the operator's filters and checks."""
        retries = retries_of(job, chain, self._stages)
        return SamplePipeline(chain, assembly.rules_of(job), self._stages, retries=retries)

    def _chain_pipeline(self, name: str, options: CaptionOptions) -> SamplePipeline:
        others = sorted(options.model_dump(exclude_none=True, exclude={"chain"}, by_alias=True))
        if others:
            it = "it" if len(others) == 1 else "them"
            raise ConfigError(
                f"a chain has its own prompts and parameters, so {' and '.join(others)} cannot be set "
                f"together with it: remove {it}"
            )
        return self._checked(self._job, self.chains[name].chain)

    async def aclose(self) -> None:
        await self._recovery.aclose()
        for pipeline in self._pipelines.values():
            await pipeline.aclose()
        await self._downloads.aclose()
        await self._stages.aclose()
        for captioner in self._captioners:
            await captioner.aclose()
