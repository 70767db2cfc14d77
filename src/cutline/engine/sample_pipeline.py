"""One sample to its outcome: load, ask, finish."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections.abc import Callable, Iterator
from typing import Any

from cutline.chain import Chain, ChainResult, NoteStep, StepFailed
from cutline.engine.stage_runner import Checked, StageRunner
from cutline.errors import SampleError
from cutline.formatting import printable
from cutline.imaging import Picture
from cutline.interfaces import Draft
from cutline.locations.loader import PictureLoader
from cutline.prompts import sample_variables
from cutline.records import (
    Caption,
    Failure,
    Location,
    Outcome,
    Reply,
    Sample,
    Skip,
    Step,
)

_log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is done to each sample before and after it is asked."""

    policy: Callable[[Sample], Outcome | str | None]
    """Skip, failure, or the existing text a caption is to be joined with."""
    finish_text: Callable[[str, str | None], str]
    max_pixels: int
    keep_data: bool = True
    """Whether the picture's own bytes are still wanted when it has been encoded for the model."""
    keep_raw: bool = False


class Captioning:
    """Turns samples into outcomes; never raises for what is wrong with one picture.

    ``under_way`` samples are being worked on, ``loading`` of them wait for a download, each in a task
    of its own; ``on_loading`` is called when one begins to. ``on_step`` is called with a sample's key, its
    content_id and a step that is answered while others of the chain are not.
    """

    def __init__(
        self,
        chain: Chain,
        rules: Rules,
        loader: PictureLoader,
        stages: StageRunner | None = None,
    ) -> None:
        self.chain = chain
        self._stages = stages or StageRunner()
        self._rules = rules
        self._loader = loader
        self._loading: set[asyncio.Task[object]] = set()
        self.under_way = 0
        self.on_loading: Callable[[], None] = lambda: None
        self.on_step: Callable[[str, str, Step], None] | None = None

    @property
    def loading(self) -> int:
        """How many pictures wait for a download."""
        return len(self._loading)

    def drop_loading(self) -> None:
        """End the tasks that wait for a download: nothing is paid for them yet."""
        for task in self._loading:
            task.cancel()

    async def caption(self, sample: Sample, known: tuple[Step, ...] = ()) -> tuple[Outcome, Picture | None]:
        """The sample's outcome, and its picture where one was loaded.

        ``known`` steps are an earlier run's answers about the same picture.

        Raises:
            RunStopped: no picture can be captioned until the user changes something.
        """
        existing = self._rules.policy(sample)
        if isinstance(existing, Skip | Failure | Caption):
            return existing, None
        self.under_way += 1
        picture = None
        content_id = sample.content_id  # of what is about to be read: what comes later is another picture
        try:
            picture = await self.load(sample)
            skip = await self._stages.filter(sample, picture, content_id)
            if skip is not None:
                return skip, picture
            variables = sample_variables(sample) if self.chain.uses_variables else {}
            if existing is not None:
                variables["text"] = existing
            followed = await self._follow(picture, variables, known, self._noting(sample.key, content_id))
            checked = await self._checked(sample, picture, followed, content_id)
        except MemoryError:
            failed = StepFailed("out-of-memory", "the picture needs more memory than there is", attempts=0)
            return self._failure(sample.key, content_id, failed, known), None
        except (StepFailed, SampleError) as error:
            if isinstance(error, SampleError):
                error = StepFailed(error.kind, str(error), attempts=0)
            return self._failure(sample.key, content_id, error, known), picture
        finally:
            self.under_way -= 1
        steps = followed.steps if self._rules.keep_raw else _without_raw(followed.steps)
        if isinstance(checked, Skip):
            return dataclasses.replace(checked, steps=steps, useless=followed.useless), picture
        return Caption(
            key=sample.key,
            text=self._rules.finish_text(checked.text, existing),
            steps=steps,
            fields=checked.fields,
            checks=checked.notes,
            existing=existing or None,
            content_id=content_id,
            step=followed.caption.name if len(self.chain.steps) > 1 else "",
            missing_steps=followed.missing,
            useless=followed.useless,
        ), picture

    async def _follow(
        self, picture: Picture, variables: dict[str, Any], known: tuple[Step, ...], note: NoteStep | None
    ) -> ChainResult:
        """What the chain brought; what a captioner must not do becomes this picture's failure."""
        try:
            return await self.chain.run(picture, variables, known=known, note=note)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise StepFailed("captioner", "a captioner cancelled itself") from None

    async def _checked(
        self, sample: Sample, picture: Picture, followed: ChainResult, content_id: str
    ) -> Checked | Skip:
        """What the checks leave of the caption; where they fail, the steps are kept."""
        draft = Draft(
            sample=sample,
            picture=picture,
            text=followed.caption.text,
            fields=followed.caption.fields,
            steps=followed.steps,
        )
        try:
            return await self._stages.check(draft, content_id)
        except SampleError as error:
            raise StepFailed(
                error.kind, str(error), steps=followed.steps, useless=followed.useless
            ) from error

    def _noting(self, key: str, content_id: str) -> NoteStep | None:
        """Hands on each step that is answered before the whole chain is; None where nobody keeps them."""
        on_step = self.on_step
        if on_step is None:
            return None
        return lambda step: on_step(
            key, content_id, step if self._rules.keep_raw else _without_raw((step,))[0]
        )

    def _failure(self, key: str, content_id: str, error: StepFailed, known: tuple[Step, ...]) -> Failure:
        """The picture's failure; earlier answers that were not come to stay known."""
        wanted = {step.name for step in self.chain.steps} - {step.name for step in error.steps}
        earlier = (dataclasses.replace(step, counted=True) for step in known if step.name in wanted)
        steps, reply = (*error.steps, *earlier), error.reply
        if not self._rules.keep_raw:
            steps, reply = _without_raw(steps), reply and _text_only(reply)
        return Failure(
            key=key,
            content_id=content_id,
            kind=error.kind,
            message=str(error),
            attempts=error.attempts,
            steps=steps,
            useless=error.useless,
            reply=reply,
        )

    async def load(self, sample: Sample) -> Picture:
        """The sample's picture, downloaded if it is remote; local ones are read when first needed.

        Raises:
            PictureError: it cannot be had.
        """
        with self._tracked(sample):
            location = await self._loader.locate(sample)
        return self.picture_at(location, sample)

    @contextlib.contextmanager
    def _tracked(self, sample: Sample) -> Iterator[None]:
        """Count the current task among ``loading`` while it downloads."""
        task = asyncio.current_task()
        if sample.location is None or sample.location.url() is None or task is None:
            yield
            return
        self._loading.add(task)
        self.on_loading()
        try:
            yield
        finally:
            self._loading.discard(task)

    def picture_at(self, location: Location, sample: Sample) -> Picture:  # noqa: ARG002 - for who makes others
        """The picture that captioners are given."""
        return Picture(location, max_pixels=self._rules.max_pixels, keep_data=self._rules.keep_data)

    def is_final(self, outcome: Outcome) -> bool:
        """Whether the journal keeps it; a skip by policy costs nothing, and is decided again each time."""
        return not isinstance(outcome, Skip) or bool(outcome.stage)

    async def aclose(self) -> None:
        await self._loader.aclose()


def log_outcome(outcome: Outcome) -> None:
    """One line of the log about what became of a sample."""
    if not _log.isEnabledFor(logging.INFO):
        return
    key = printable(outcome.key)
    if isinstance(outcome, Caption):
        tokens, seconds = outcome.usage.total, sum(step.reply.seconds for step in outcome.steps)
        _log.debug("captioned key=%s tokens=%d seconds=%.2f", key, tokens, seconds)
        for name, kind in outcome.missing_steps.items():
            _log.info("incomplete key=%s step=%s kind=%s", key, name, kind)
    elif isinstance(outcome, Skip):
        _log.debug("skipped key=%s reason=%s", key, outcome.reason)
    else:
        message = "failed key=%s kind=%s attempts=%d cause=%s"
        _log.info(message, key, outcome.kind, outcome.attempts, outcome.message)


def _without_raw(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(dataclasses.replace(step, reply=_text_only(step.reply)) for step in steps)


def _text_only(reply: Reply) -> Reply:
    return dataclasses.replace(reply, raw=None)
