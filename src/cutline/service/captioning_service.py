"""One model for all requests: the same captioner, asked in the ways that requests wish for."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import functools
import logging
import sys
from typing import Any, Protocol

import orjson

from cutline.captioners.factory import check_prompt
from cutline.captioners.pool import CaptionerPool
from cutline.captioners.servers.settings import ServerOptions
from cutline.chain import Chain, ChainStep
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.sample_pipeline import Captioning
from cutline.errors import ConfigError, PictureError, RunStopped
from cutline.interfaces import Captioner
from cutline.job import Job, LocalOptions, ModelOptions, PictureOptions
from cutline.prompts import library_prompts
from cutline.records import Failure, Outcome, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.chains import Chains, check_variables
from cutline.service.downloads import Downloads
from cutline.service.http.bodies import Lobby
from cutline.service.recovery import Recovery
from cutline.service.settings import Settings
from cutline.service.telemetry.tracing import Tracing
from cutline.slots import Slots, and_preparing
from cutline.weights import Say

KEPT_WAYS = 64


class Note(Protocol):
    """Takes an outcome, and the job and number of its picture where it is of a job."""

    def __call__(self, outcome: Outcome, place: tuple[str, int] | None = None) -> None: ...


_log = logging.getLogger("cutline.service")


class CaptioningService:
    """Captions pictures for requests; what comes from many clients is batched by the captioner."""

    def __init__(self, settings: Settings, lobby: Lobby, note: Note, tracing: Tracing) -> None:
        """``note`` is to be told by each route what has become of a picture in the end."""
        self._settings = settings
        self.note = note
        self.tracing = tracing
        self._downloads = Downloads(lobby, allow_private=settings.allow_private_urls)
        self._job = job_of(settings)
        self._pool = CaptionerPool()
        self._captioners: list[Captioner] = []
        key = settings.model_key
        self.captioner: Captioner = self._captioner_of(
            self._job, Secret(key.get_secret_value()) if key else None
        )
        self.chains = Chains(settings.chain, self._job, self._captioner_of)
        self._ways: collections.OrderedDict[bytes, Captioning] = collections.OrderedDict()
        self._places = Slots(lambda: and_preparing(self.slots))
        self._reviving = Recovery(self._open_again)
        self.ready = False

    @property
    def model(self) -> str:
        return self.captioner.name

    @property
    def instructable(self) -> bool:
        """Whether the model does what a prompt says, more than to take its form."""
        return self.captioner.profile.instructable

    @functools.cached_property
    def prompts(self) -> list[str]:
        """Those of the library that it can be asked with; none where it would not heed a single one."""
        if not self.instructable and self.captioner.profile.ignores is None:
            return []
        return [name for name in sorted(library_prompts()) if self._takes(name)]

    def _takes(self, prompt: str) -> bool:
        try:
            self._new_way(CaptionOptions(prompt=prompt))
        except ConfigError:
            return False
        return True

    @property
    def slots(self) -> int:
        return self.captioner.slots

    @property
    def at_once(self) -> int:
        """Pictures that the model takes at once; it may have slots for more, which are prepared meanwhile."""
        return self.captioner.at_once

    @property
    def asked(self) -> int:
        """Pictures that are before the model, or on their way through a chain."""
        return self._places.taken + self.chains.asked

    async def open(self, say: Say) -> None:
        """Load the models; raises ConfigError as they do."""
        for captioner in self._captioners:
            await captioner.open(say)
        if any(captioner.name == "pixels:ocr" for captioner in self._captioners):
            say("pixels:ocr reads the text in pictures, which takes most of its time; pixels does not")
        self.ready = True

    async def _open_again(self) -> None:
        """As ``open``, after the model was lost; whoever asks whether we are ready is told."""

        def say(line: str) -> None:
            self.ready = False
            _log.warning("%s", line)

        await self.open(say)

    async def caption(self, sample: Sample, wish: CaptionOptions) -> Outcome:
        """The sample's outcome, after ``request_seconds`` at the latest.

        Raises:
            ConfigError: the wish cannot be fulfilled by this model.
            RunStopped: the model cannot be asked at all now.
        """
        way = self._way(wish)
        places = self._places if wish.chain is None else self.chains[wish.chain].places
        with self.tracing.span("caption") as span:
            try:
                outcome = await self._outcome(sample, way, places)
            except RunStopped:
                self._reviving.begin()
                raise
            if isinstance(outcome, Failure):
                span.fail(outcome.kind)
        return outcome

    async def _outcome(self, sample: Sample, way: Captioning, places: Slots) -> Outcome:
        try:
            async with (
                asyncio.timeout(self._settings.request_seconds),
                self._downloads.brought(sample) as here,
                places.one(),
            ):
                outcome, _ = await way.caption(here)
                return outcome
        except PictureError as error:
            return Failure(key=sample.key, kind=error.kind, message=str(error))
        except TimeoutError:
            return Failure(key=sample.key, kind="timeout", message="the model had no time for it")

    def check(self, wish: CaptionOptions) -> None:
        """Raises ConfigError for a wish that cannot be fulfilled, before anything is queued."""
        self._way(wish)

    def ignores(self, wish: CaptionOptions) -> bool:
        """Whether the model would answer as if there were no prompt."""
        ignoring = self.captioner.profile.ignores
        if ignoring is None or wish.prompt is None:
            return False
        return any(map(ignoring, assembly.prompts_of(_wished(self._job, wish, most=sys.maxsize), None)))

    def _way(self, wish: CaptionOptions) -> Captioning:
        """How that wish is asked; the last ones are kept, as most clients wish for the same."""
        way = self._ways.get(wish.key)
        if way is None:
            way = self._ways[wish.key] = self._new_way(wish)
            if len(self._ways) > KEPT_WAYS:
                self._ways.popitem(last=False)
        self._ways.move_to_end(wish.key)
        return way

    def _captioner_of(self, job: Job, key: Secret | None) -> Captioner:
        captioner = self.tracing.around(assembly.captioner_of(job, key, pool=self._pool))
        self._captioners.append(captioner)
        return captioner

    def _new_way(self, wish: CaptionOptions) -> Captioning:
        if wish.chain is not None:
            return self._through_chain(wish.chain, wish)
        job = _wished(self._job, wish, most=self._settings.max_tokens)
        assembly.check_words(job)
        captioner = self.captioner
        if wish.parameters:
            captioner = captioner.adjusted(wish.parameters)
        if self.ignores(wish):
            raise ConfigError(
                f"{captioner.name} follows no instructions, and takes from a prompt only its form: wish for "
                "short, alt-text or tags, or for a schema, or leave prompt out"
            )
        prompts = assembly.prompts_of(job, captioner.profile.default_prompt)
        for prompt in prompts:
            check_prompt(captioner, prompt, language=job.prompts.language)
        steps = [ChainStep(name=prompt.name, captioner=captioner, prompt=prompt) for prompt in prompts]
        chain = Chain(steps)
        check_variables(chain)
        rules = assembly.rules_of(job, None, None, keep_raw=False)
        return Captioning(chain, rules, assembly.loader_of(job))

    def _through_chain(self, name: str, wish: CaptionOptions) -> Captioning:
        others = sorted(wish.model_dump(exclude_none=True, exclude={"chain"}, by_alias=True))
        if others:
            it = "it" if len(others) == 1 else "them"
            raise ConfigError(
                f"a chain has its own prompts and parameters, so {' and '.join(others)} cannot be wished for "
                f"beside it: leave {it} out"
            )
        rules = assembly.rules_of(self._job, None, None, keep_raw=False)
        return Captioning(self.chains[name].chain, rules, assembly.loader_of(self._job))

    async def aclose(self) -> None:
        await self._reviving.aclose()
        for way in self._ways.values():
            await way.aclose()
        await self._downloads.aclose()
        for captioner in self._captioners:
            await captioner.aclose()


def job_of(settings: Settings) -> Job:
    """What the service does to every picture, as the job that a command line would run."""
    local: dict[str, Any] = {"device": settings.device, "dtype": settings.dtype}
    job = Job(
        input_path="",
        model=ModelOptions(model=settings.model, endpoint=settings.endpoint, plugin=settings.plugin),
        local=LocalOptions(**local),
        server=ServerOptions(**settings.of_the_server()),
        pictures=PictureOptions(max_pixels=settings.max_pixels),
    )
    job.check()
    return job


def _wished(job: Job, wish: CaptionOptions, *, most: int) -> Job:
    if wish.max_tokens is not None and wish.max_tokens > most:
        raise ConfigError(f"max_tokens can be at most {most} here")
    words: dict[str, Any] = {
        "system_prompt": wish.system_prompt,
        "language": wish.language,
        "schema": orjson.dumps(wish.json_schema).decode() if wish.json_schema is not None else None,
    }
    if wish.prompt is not None:
        # Never a file's name: a client must not have our files read.
        named = wish.prompt in library_prompts() or wish.prompt.startswith("text:")
        words["prompt"] = (wish.prompt if named else f"text:{wish.prompt}",)
    prompts = dataclasses.replace(job.prompts, **words)
    wished = dataclasses.replace(job, prompts=prompts)
    wished.check()
    return wished
