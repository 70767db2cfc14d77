"""Retries of a captioner's calls, and when a run has to stop instead."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import math
import re
import time
from collections import Counter
from collections.abc import Mapping
from typing import TypeGuard

from cutline import retry_policy
from cutline.captioners.spec import CaptionerOptions
from cutline.captioners.wrapper import Wrapper
from cutline.errors import EndpointUnusable, Rejected, RequestError, Retryable, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.retry_policy import CALLERS_PATIENCE, CALLERS_TURN
from cutline.slots import has_waiting_caller, pause, shows_progress

_log = logging.getLogger(__name__)
_UNUSABLE = frozenset({401, 403, 404, 405, 407, 410, 501, 505, 511})
_OF_ALL = frozenset({"parameter", "text-only", "malformed"})  # a page in place of an API sends no other
_UNREACHABLE_ATTEMPTS = 3  # while nothing has ever answered there
_OUTAGE_ATTEMPTS = 3  # after which the delays grow no longer
_VERDICT = 3.0  # seconds in which others may be refused too


_HERE = re.compile(r"://(localhost|127\.|10\.|192\.168\.|\[::1\]|[\w-]+[:/])")
"""Hosts of this machine and its own network, whose servers the user may start."""


def _concerns_all(error: RequestError) -> bool:
    """Whether an error may be one of every picture: of key, model, name, parameter or address."""
    return error.status in _UNUSABLE or error.kind in _OF_ALL


@dataclasses.dataclass(slots=True, eq=False)
class RetryState:
    """What is known of an endpoint, shared by its captioners.

    ``proven`` is set by the first success, ``answered_at`` the time of the last one. ``waiting``: calls that
    wait for their next attempt. ``retries`` counts those by cause.
    """

    proven: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    answered_at: float = dataclasses.field(default_factory=time.monotonic)
    unusable_in_a_row: int = 0
    waiting: int = 0
    retries: Counter[str] = dataclasses.field(default_factory=Counter)


class Retry(Wrapper):
    """Retries calls that may succeed later, with exponential, jittered delays.

    A request to slow down (429, or 503 with Retry-After) is no failure of the picture: it does not count
    among the retries, but ends after ``options.patience``. Nor does a failure while the endpoint answers
    nobody: the run waits for it as long, and then stops. A wait that is longer stops it at once. While a
    part of the requests fails, a picture is given up only once that is not chance.

    A refused key stops the run instead of failing every picture, and so do, while no request has ever
    succeeded, an unknown model or an unreachable endpoint. Pictures that were refused before that was
    clear do not fail either, so that the next run captions them. ``start``: how to start the server, for
    messages. A caller who waits for one caption gets the error after a few seconds without an answer.
    """

    def __init__(
        self, inner: Captioner, options: CaptionerOptions, *, start: str = "", state: RetryState | None = None
    ) -> None:
        super().__init__(inner)
        self._options = options
        self._start = start
        self._state = state or RetryState()
        self._halted = asyncio.Event()

    @property
    def slots(self) -> int:
        # Calls that wait for their next attempt hold no slot, so others may take their place.
        return self.inner.slots + min(self._state.waiting, 4 * self.inner.slots)

    @property
    def retries(self) -> Mapping[str, int]:
        return self._state.retries

    def halt(self) -> None:
        self._halted.set()
        self.inner.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        failures, attempts, retries = 0, 0, self._options.retries
        trouble_since = None  # not the start: a call may have waited long for its turn
        while True:
            attempts += 1
            try:
                reply = await self.inner.caption(picture, prompt)
            except Retryable as error:
                trouble_since = time.monotonic() if trouble_since is None else trouble_since
                proven = self._state.proven.is_set()
                throttled = error.status == 429 or (error.status == 503 and error.retry_after is not None)
                is_away = self._is_away(error)
                excused = is_away or (proven and error.may_be_outage)
                failures += not (throttled or is_away)
                hopeless = (error.kind == "unreachable" or _concerns_all(error)) and not proven
                most = min(retries, _UNREACHABLE_ATTEMPTS - 1) if hopeless else retries
                waited = time.monotonic() - trouble_since
                over = waited > self._options.patience or self._is_too_long(error)
                if over or (failures > most and not (throttled or excused)):
                    raise await self._judged(error, attempts) from None
                left = (CALLERS_TURN if throttled else CALLERS_PATIENCE) - waited
                left = left if has_waiting_caller() else math.inf
                if left <= 0 or (error.retry_after or 0.0) > left:
                    error.attempts = attempts
                    raise error from None
                await self._wait(error, attempts, left)
            except Rejected as error:
                raise await self._judged(error, attempts) from None
            else:
                self._state.proven.set()
                self._state.answered_at = time.monotonic()
                self._state.unusable_in_a_row = 0
                return dataclasses.replace(reply, attempts=attempts) if attempts > 1 else reply

    async def _wait(self, error: Retryable, attempts: int, longest: float) -> None:
        if error.retry_after is not None:
            seconds = retry_policy.spread(min(error.retry_after, self._options.patience))
        else:
            # While the endpoint is away, the requests wait for it together; no need to wait longer here.
            are_together = error.is_outage or error.may_be_outage
            number = min(attempts, _OUTAGE_ATTEMPTS) if are_together else attempts
            seconds = retry_policy.delay(
                number, first=self._options.retry_delay, longest=min(longest, retry_policy.MAX_DELAY)
            )
        _log.info("retry model=%s attempt=%d wait=%.1fs cause=%s", self.name, attempts, seconds, error)
        self._state.retries[str(error.status or error.kind)] += 1
        self._state.waiting += 1
        try:
            await pause(seconds, self._halted)
        finally:
            self._state.waiting -= 1

    async def _judged(self, error: RequestError, attempts: int) -> Exception:
        """What a call ends with, once it is clear whether it is the picture's."""
        final = self._final(error, attempts)
        if isinstance(final, RequestError) and _concerns_all(error):
            await self._verdict()
        return final

    async def _verdict(self) -> None:
        """Wait until it is clear whether the picture is refused, or every one.

        Raises:
            RunStopped: every one is.
        """
        if self._state.proven.is_set() or not self._options.retries:
            return
        ends = [asyncio.create_task(event.wait()) for event in (self._state.proven, self._halted)]
        self._state.waiting += 1
        try:
            await asyncio.wait(ends, timeout=_VERDICT, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._state.waiting -= 1
            for end in ends:
                end.cancel()
        if self._halted.is_set():
            raise RunStopped("stopped")

    def _is_too_long(self, error: RequestError) -> TypeGuard[Retryable]:
        """Whether the endpoint requests a longer wait than a run should have, as after a daily quota."""
        return isinstance(error, Retryable) and (error.retry_after or 0.0) > self._options.patience

    def _is_away_for_long(self, error: Retryable) -> bool:
        """Whether nobody gets an answer; refusals end here after the patience only."""
        if error.status == 429:
            return time.monotonic() - self._state.answered_at > self._options.patience
        return self._is_away(error)

    def _is_away(self, error: Retryable) -> bool:
        """Whether the endpoint answers nobody, but is there: it may still load its model, behind a proxy."""
        may_load = error.kind not in {"unreachable", "timeout"} and shows_progress()
        return error.is_outage and (may_load or self._state.proven.is_set())

    def _final(self, error: RequestError, attempts: int) -> Exception:
        error.attempts = attempts
        _log.info("gave-up model=%s attempts=%d cause=%s", self.name, attempts, error)
        if error.kind == "unreachable" and not self._state.proven.is_set():
            is_here = _HERE.search(str(error))
            cure = (
                ": is the server running?" if is_here else ": is this machine online, and the address right?"
            )
            return EndpointUnusable(f"{error}{cure} {self._start}".rstrip(), kind=error.kind)
        if self._is_too_long(error):
            back = retry_policy.time_after(error.retry_after or 0.0)
            message = f"{error}; it admits requests again at {back}"
            return EndpointUnusable(message, kind=error.kind, status=error.status)
        if isinstance(error, Retryable) and self._is_away_for_long(error):
            message = f"{error}; nothing was answered for {self._options.patience / 60:g} minutes"
            return EndpointUnusable(message, kind=error.kind, status=error.status)
        if _concerns_all(error):
            self._state.unusable_in_a_row += 1
            # A wrong key concerns every picture; the others may concern one, until they come again.
            enough = 1 if error.status == 401 else 10 if self._state.proven.is_set() else 3
            if self._state.unusable_in_a_row >= enough:
                return EndpointUnusable(str(error), kind=error.kind, status=error.status)
        return error
