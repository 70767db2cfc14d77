"""One sample to its outcome: load, ask, finish."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
from collections.abc import Callable
from typing import Any, Protocol

from cutline.chain import Chain, StepFailed
from cutline.errors import PictureError
from cutline.files import printable
from cutline.imaging import Picture
from cutline.prompts import sample_variables
from cutline.records import (
    Caption,
    Failure,
    Location,
    Outcome,
    Problem,
    Reply,
    Sample,
    Skip,
    Step,
)

_log = logging.getLogger(__name__)


class Fetching(Protocol):
    """Brings a remote picture here."""

    async def fetch(self, url: str) -> Location: ...

    async def aclose(self) -> None: ...


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

    ``under_way`` samples are being worked on, ``loading`` of them wait for a download;
    ``on_loading`` is called when one begins to.
    """

    def __init__(self, chain: Chain, rules: Rules, open_fetcher: Callable[[], Fetching]) -> None:
        self.chain = chain
        self._rules = rules
        self._open_fetcher = open_fetcher
        self._fetcher: Fetching | None = None
        self.loading = 0
        self.under_way = 0
        self.on_loading: Callable[[], None] = lambda: None

    async def caption(self, sample: Sample) -> tuple[Outcome, Picture | None]:
        """The sample's outcome, and its picture where one was loaded.

        Raises:
            RunStopped: no picture can be captioned until the user changes something.
        """
        existing = self._rules.policy(sample)
        if isinstance(existing, Skip | Failure | Caption):
            return existing, None
        self.under_way += 1
        picture = None
        stamp = sample.stamp  # of what is about to be read: what comes later is another picture
        try:
            picture = await self.load(sample)
            variables = sample_variables(sample) if self.chain.uses_variables else {}
            if existing is not None:
                variables["text"] = existing
            steps = await self._follow(picture, variables)
        except PictureError as error:
            return Failure(key=sample.key, kind=error.kind, message=str(error), stamp=stamp), picture
        except MemoryError:
            message = "the picture needs more memory than there is"
            return Failure(key=sample.key, kind="out-of-memory", message=message, stamp=stamp), None
        except StepFailed as error:
            return _failure(sample.key, stamp, error, keep_raw=self._rules.keep_raw), picture
        finally:
            self.under_way -= 1
        if not self._rules.keep_raw:
            steps = _without_raw(steps)
        text = self._rules.finish_text(steps[0].text, existing)
        return Caption(
            key=sample.key,
            text=text,
            steps=steps,
            fields=steps[0].fields,
            existing=existing or None,
            stamp=stamp,
        ), picture

    async def _follow(self, picture: Picture, variables: dict[str, Any]) -> tuple[Step, ...]:
        """The chain's steps; what a captioner must not do becomes this picture's failure."""
        try:
            steps = await self.chain.follow(picture, variables)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise _broken("a captioner cancelled itself") from None
        for step in steps:
            if not _is_sound(step.reply):
                raise _broken(f"{step.reply.model} gave a reply with values of wrong types")
        return steps

    async def load(self, sample: Sample) -> Picture:
        """The sample's picture, downloaded if it is remote; local ones are read when first needed.

        Raises:
            PictureError: it cannot be had.
        """
        location = sample.location
        if location is None:
            problem = sample.problem or Problem(kind="missing", message="there is no picture")
            raise PictureError(problem.kind, problem.message)
        url = getattr(location, "url", None)
        if url is not None:
            self.loading += 1
            self.on_loading()
            try:
                self._fetcher = self._fetcher or self._open_fetcher()
                location = await self._fetcher.fetch(url)
            finally:
                self.loading -= 1
        return Picture(location, max_pixels=self._rules.max_pixels, keep_data=self._rules.keep_data)

    async def aclose(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.aclose()


def _is_sound(reply: Reply) -> bool:
    """Whether the parts of a plug-in's reply that are reckoned with are what they should be."""
    numbers = getattr(reply.usage, "prompt_tokens", None), getattr(reply.usage, "completion_tokens", None)
    return all(isinstance(number, int) for number in numbers) and isinstance(reply.seconds, int | float)


def _broken(message: str) -> StepFailed:
    return StepFailed("captioner", message)


def log_outcome(outcome: Outcome) -> None:
    """One line of the log about what became of a sample."""
    if not _log.isEnabledFor(logging.INFO):
        return
    key = printable(outcome.key)
    if isinstance(outcome, Caption):
        tokens, seconds = outcome.usage.total, sum(step.reply.seconds for step in outcome.steps)
        _log.debug("captioned key=%s tokens=%d seconds=%.2f", key, tokens, seconds)
    elif isinstance(outcome, Skip):
        _log.debug("skipped key=%s reason=%s", key, outcome.reason)
    else:
        message = "failed key=%s kind=%s attempts=%d cause=%s"
        _log.info(message, key, outcome.kind, outcome.attempts, outcome.message)


def _without_raw(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(dataclasses.replace(step, reply=_text_only(step.reply)) for step in steps)


def _text_only(reply: Reply) -> Reply:
    return dataclasses.replace(reply, raw=None)


def _failure(key: str, stamp: str, error: StepFailed, *, keep_raw: bool) -> Failure:
    reply = error.replies[0] if error.replies else None
    if reply is not None and not keep_raw:
        reply = _text_only(reply)
    return Failure(
        key=key,
        stamp=stamp,
        kind=error.kind,
        message=str(error),
        attempts=error.attempts,
        steps=error.steps if keep_raw else _without_raw(error.steps),
        usage=error.usage,
        reply=reply,
    )
