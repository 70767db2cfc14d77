"""One opened model for single pictures, each through the same pipeline as in a run."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from typing import Any

import orjson

from cutline.captioners.pool import CaptionerPool
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.chain_builder import is_chain
from cutline.engine.check_retries import retries_of
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.interfaces import Captioner, Say, silent
from cutline.job import Job
from cutline.parameters import COMMON, check
from cutline.records import (
    JSON,
    Outcome,
    Sample,
)
from cutline.results import CaptionOptions
from cutline.slots import and_preparing, no_progress

MAX_PIPELINES = 64


class ModelSession:
    """A job's model or chain with its filters and checks, and a pipeline for each set of options.

    For one event loop. ``aclose`` cancels the pictures that are in progress.

    Raises:
        ConfigError: as ``chain_of`` and ``stages_of``.
    """

    def __init__(self, job: Job, key: Secret | None, pool: CaptionerPool) -> None:
        assembly.prepare(job)
        self.job = job
        self.key = key
        self._chain = assembly.chain_of(job, key, pool=pool)
        self._stages = assembly.stages_of(job)
        retries_of(job, self._chain, self._stages)
        self._stages.refuse_comparisons("a model that is loaded for single pictures")
        self._pipelines: collections.OrderedDict[bytes, SamplePipeline] = collections.OrderedDict()
        self._tasks: dict[asyncio.Task[Any], SamplePipeline] = {}
        self._is_closed = False

    @property
    def name(self) -> str:
        """The captioner's name; of a chain those of its captioners."""
        return self._chain.name

    @property
    def window(self) -> int:
        """How many pictures can be in progress at once now."""
        return and_preparing(self._chain.slots)

    @property
    def variables(self) -> frozenset[str]:
        """The names of the samples' variables in its prompts."""
        return self._chain.variables

    @property
    def ignores_prompt(self) -> bool:
        """Whether the job's prompt changes nothing, as the captioner follows no instructions."""
        if is_chain(self.job) or not self.job.prompts.prompt:
            return False
        step = self._chain.steps[0]
        ignores = step.captioner.profile.ignores
        return ignores is not None and ignores(step.prompt)

    async def open(self, say: Say = silent) -> None:
        """Load the models; raises ConfigError."""
        await self._chain.open(say)
        await self._stages.open(say)

    async def caption(self, sample: Sample, options: CaptionOptions) -> Outcome:
        """The outcome of one picture.

        Raises:
            ConfigError: the model does not support one of the options, or the session is closed.
            RunStopped: no picture can be captioned until the user changes something.
        """
        task = asyncio.current_task()
        if self._is_closed or task is None:
            raise self._closed()
        pipeline = self._tasks[task] = self._pipeline(options)
        try:
            with no_progress():
                outcome, _ = await pipeline.caption(sample)
        except asyncio.CancelledError:
            if self._is_closed:
                raise self._closed() from None
            raise
        finally:
            del self._tasks[task]
            await self._evict()
        return outcome

    def _pipeline(self, options: CaptionOptions) -> SamplePipeline:
        """The pipeline for these options; the last ones are kept. Raises ConfigError as ``caption``."""
        try:
            same = orjson.dumps(options, option=orjson.OPT_SORT_KEYS)
        except TypeError as error:
            raise ConfigError(f"options of a picture must be plain values: {error}") from None
        pipeline = self._pipelines.get(same)
        if pipeline is None:
            pipeline = self._pipelines[same] = self._new_pipeline(options)
        self._pipelines.move_to_end(same)
        return pipeline

    async def _evict(self) -> None:
        """Close the pipelines that were not used for the longest time."""
        while len(self._pipelines) > MAX_PIPELINES:
            in_use = self._tasks.values()
            idle = next((same for same, pipeline in self._pipelines.items() if pipeline not in in_use), None)
            if idle is None:
                return
            await self._pipelines.pop(idle).aclose()

    def _new_pipeline(self, options: CaptionOptions) -> SamplePipeline:
        chain, job = self._chain, self.job
        if options:
            job = self._with_prompt(options)
            chain = assembly.chain_of(job, None, _adjusted(chain.steps[0].captioner, options))
        retries = retries_of(job, chain, self._stages)
        return SamplePipeline(chain, assembly.rules_of(job), self._stages, retries=retries)

    def _with_prompt(self, options: CaptionOptions) -> Job:
        """The job with the texts of a picture's options."""
        known = [name for name in CaptionOptions.__annotations__ if name != "chain"]
        for name in options:
            if name == "chain":
                raise ConfigError("chain names a chain of a service; pass chain=FILE to load() instead")
            if name not in known:
                raise ConfigError(
                    f"a picture has no option {name!r}{did_you_mean(name, known)}; it has {', '.join(known)}"
                )
        if is_chain(self.job):
            raise ConfigError(
                f"a chain has its own prompts and parameters; remove {' and '.join(sorted(options))}"
            )
        changes: JSON = {"system_prompt": options.get("system_prompt"), "language": options.get("language")}
        if options.get("prompt") is not None:
            changes["prompt"] = (options["prompt"],)
        if options.get("schema") is not None:
            changes["schema"] = orjson.dumps(options["schema"]).decode()
        changes = {name: value for name, value in changes.items() if value is not None}
        job = dataclasses.replace(self.job, prompts=dataclasses.replace(self.job.prompts, **changes))
        job.check()
        assembly.check_pixels_prompts(job)
        return job

    def _closed(self) -> ConfigError:
        return ConfigError(f"the model {self.name} is closed; load it again")

    async def aclose(self) -> None:
        self._is_closed = True
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pipeline in self._pipelines.values():
            await pipeline.aclose()
        await self._stages.aclose()
        await self._chain.aclose()


def _adjusted(captioner: Captioner, options: CaptionOptions) -> Captioner:
    """The captioner with the parameters among the options.

    Raises:
        ConfigError: it does not support one of them, or its value.
    """
    names = {parameter.name for parameter in COMMON}
    given = {name: value for name, value in options.items() if name in names and value is not None}
    if not given:
        return captioner
    if captioner.profile.parameters:
        check(captioner.name, given, captioner.profile.parameters, option="")
    return captioner.adjusted(given)
