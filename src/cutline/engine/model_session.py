"""One opened model for single pictures, each through the same pipeline as in a run."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson

from cutline.captioners.pool import CaptionerPool
from cutline.chain import Chain
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.chain_builder import is_chain
from cutline.engine.sample_pipeline import Captioning
from cutline.errors import ConfigError
from cutline.interfaces import Captioner, Say, silent
from cutline.job import Job
from cutline.parameters import COMMON, check
from cutline.records import CaptionOptions, Outcome, Sample
from cutline.slots import and_preparing

MAX_PIPELINES = 64


class ModelSession:
    """A job's model or chain with its filters and checks, and a pipeline for each set of options.

    For one event loop. ``aclose`` cancels the pictures that are in progress.

    Raises:
        ConfigError: as ``chain_of`` and ``stages_of``.
    """

    def __init__(self, job: Job, key: Secret | None, pool: CaptionerPool) -> None:
        job.check()
        self.job = job
        self.key = key
        self._pool = pool
        self._chain = assembly.chain_of(job, key, pool=pool)
        self._stages = assembly.stages_of(job)
        self._loader = assembly.loader_of(job)
        self._pipelines: collections.OrderedDict[bytes, Captioning] = collections.OrderedDict()
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def name(self) -> str:
        """The captioner's name; of a chain those of its captioners."""
        return self._chain.name

    @property
    def window(self) -> int:
        """How many pictures can be in progress at once now."""
        return and_preparing(self._chain.slots)

    async def open(self, say: Say = silent) -> None:
        """Load the models; raises ConfigError."""
        await self._chain.open(say)
        await self._stages.open(say)

    async def caption(self, sample: Sample, options: CaptionOptions) -> Outcome:
        """The outcome of one picture.

        Raises:
            ConfigError: the model does not support one of the options.
            RunStopped: no picture can be captioned until the user changes something.
        """
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            outcome, _ = await self.pipeline(options).caption(sample)
            return outcome
        finally:
            self._tasks.discard(task)

    def pipeline(self, options: CaptionOptions) -> Captioning:
        """The pipeline for these options; the last ones are kept. Raises ConfigError as ``caption``."""
        try:
            same = orjson.dumps(options, option=orjson.OPT_SORT_KEYS)
        except TypeError as error:
            raise ConfigError(f"options of a picture must be plain values: {error}") from None
        pipeline = self._pipelines.get(same)
        if pipeline is None:
            pipeline = self._pipelines[same] = self._new_pipeline(options)
            if len(self._pipelines) > MAX_PIPELINES:
                self._pipelines.popitem(last=False)
        self._pipelines.move_to_end(same)
        return pipeline

    def _new_pipeline(self, options: CaptionOptions) -> Captioning:
        chain, job = self._chain, self.job
        if options:
            job = self._with_prompt(options)
            captioner = adjusted(chain.steps[0].captioner, options)
            chain = assembly.chain_of(job, None, captioner)
        rules = assembly.rules_of(job, None, None, keep_raw=False)
        return Captioning(chain, rules, self._loader, self._stages)

    def _with_prompt(self, options: CaptionOptions) -> Job:
        unknown = [name for name in options if name not in CaptionOptions.__annotations__]
        if unknown:
            known = ", ".join(CaptionOptions.__annotations__)
            raise ConfigError(f"a picture has no option {unknown[0]!r}; it has {known}")
        if "chain" in options:
            raise ConfigError("chain names a chain of a service; pass chain=FILE to load() instead")
        if is_chain(self.job):
            raise ConfigError(
                f"a chain has its own prompts and parameters; remove {' and '.join(sorted(options))}"
            )
        prompts: dict[str, Any] = {name: options.get(name) for name in ("system_prompt", "language")}
        if "prompt" in options:
            prompts["prompt"] = (options["prompt"],)
        if "schema" in options:
            prompts["schema"] = orjson.dumps(options["schema"]).decode()
        given = {name: value for name, value in prompts.items() if value is not None}
        job = dataclasses.replace(self.job, prompts=dataclasses.replace(self.job.prompts, **given))
        assembly.check_words(job)
        return job

    def chain_for(self, job: Job, parameters: Mapping[str, Any]) -> Chain:
        """A chain for a run of ``job`` with the session's captioners; the run closes it."""
        if is_chain(job):
            return assembly.chain_of(job, self.key, pool=self._pool)
        captioner = assembly.captioner_of(self.job, self.key, pool=self._pool)
        return assembly.chain_of(job, self.key, adjusted(captioner, parameters))

    async def aclose(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._loader.aclose()
        await self._stages.aclose()
        await self._chain.aclose()


def parameters_in(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options that are parameters of ``Captioner.adjusted``."""
    names = (parameter.name for parameter in COMMON)
    return {name: options[name] for name in names if options.get(name) is not None}


def adjusted(captioner: Captioner, options: Mapping[str, Any]) -> Captioner:
    """The captioner with the parameters among the options.

    Raises:
        ConfigError: it does not support one of them, or its value.
    """
    parameters = parameters_in(options)
    if not parameters:
        return captioner
    check(captioner.name, parameters, captioner.profile.parameters or COMMON, option="")
    return captioner.adjusted(parameters)
