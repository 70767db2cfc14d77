"""Asking again, and knowing when not to."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import re
import time

from cutline import retry_policy
from cutline.captioners.wrapper import Wrapper
from cutline.errors import EndpointUnusable, Rejected, RequestError, Retryable, RunStopped
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.slots import pause

_log = logging.getLogger(__name__)
_UNUSABLE = frozenset({401, 403, 404, 410})
_UNREACHABLE_ATTEMPTS = 3  # while nothing has ever answered there
_VERDICT = 3.0  # seconds in which others may be refused too


_HERE = re.compile(r"://(localhost|127\.|10\.|192\.168\.|\[::1\]|[\w-]+[:/])")
"""Hosts of this machine and its own network, whose servers the user may start."""


def _is_it_running(message: str) -> str:
    """What to look after where nobody answers."""
    if _HERE.search(message):
        return ": is the server running?"
    return ": is this machine online, and the address right?"


@dataclasses.dataclass(slots=True, eq=False)
class RetryState:
    """What is known of an endpoint; shared by those who call it alike.

    ``proven`` is set by the first success. ``waiting`` calls wait for their next attempt.
    """

    proven: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    unusable_in_a_row: int = 0
    waiting: int = 0


class Retry(Wrapper):
    """Repeats what may succeed the next time, with exponential, jittered delays.

    Being told to slow down (429, or 503 with Retry-After) is no failure of the picture: such
    answers do not use up ``retries``, but end after ``patience`` seconds. A refused key stops the run
    instead of failing every picture, and so do, while no request has ever succeeded, an unknown model
    or an unreachable endpoint. Those that were refused before that was clear do not fail
    either, so that the next run asks about them. ``delay`` is the first delay in seconds; delays double.
    ``start`` says what starts the server that cannot be reached.
    """

    def __init__(
        self,
        inner: Captioner,
        *,
        retries: int = 6,
        delay: float = 1.0,
        patience: float = 900.0,
        start: str = "",
        state: RetryState | None = None,
    ) -> None:
        super().__init__(inner)
        self._retries = retries
        self._delay = delay
        self._patience = patience
        self._start = start
        self._state = state or RetryState()
        self._halted = asyncio.Event()

    @property
    def slots(self) -> int:
        # Calls that wait for their next attempt hold no slot, so others may take their place.
        return self.inner.slots + min(self._state.waiting, 4 * self.inner.slots)

    def halt(self) -> None:
        self._halted.set()
        self.inner.halt()

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        failures = attempts = 0
        start = time.monotonic()
        while True:
            attempts += 1
            try:
                reply = await self.inner.caption(picture, prompt)
            except Retryable as error:
                asked_to_wait = error.status == 429 or (error.status == 503 and error.retry_after is not None)
                failures += not asked_to_wait
                nobody_there = error.kind == "unreachable" and not self._state.proven.is_set()
                retries = min(self._retries, _UNREACHABLE_ATTEMPTS - 1) if nobody_there else self._retries
                if failures > retries or time.monotonic() - start > self._patience:
                    raise self._final(error, attempts) from None
                await self._wait(error, attempts)
            except Rejected as error:
                final = self._final(error, attempts)
                if isinstance(final, Rejected) and error.status in _UNUSABLE:
                    await self._verdict()
                raise final from None
            else:
                self._state.proven.set()
                self._state.unusable_in_a_row = 0
                return dataclasses.replace(reply, attempts=attempts) if attempts > 1 else reply

    async def _wait(self, error: Retryable, attempts: int) -> None:
        if error.retry_after is not None:
            seconds = retry_policy.spread(min(error.retry_after, self._patience))
        else:
            seconds = retry_policy.delay(attempts, first=self._delay)
        _log.info("retry model=%s attempt=%d wait=%.1fs cause=%s", self.name, attempts, seconds, error)
        self._state.waiting += 1
        try:
            await pause(seconds, self._halted)
        finally:
            self._state.waiting -= 1

    async def _verdict(self) -> None:
        """Wait until it is clear whether the picture is refused, or every one.

        Raises:
            RunStopped: every one is.
        """
        if self._state.proven.is_set() or not self._retries:
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

    def _final(self, error: RequestError, attempts: int) -> Exception:
        error.attempts = attempts
        _log.info("gave-up model=%s attempts=%d cause=%s", self.name, attempts, error)
        if error.kind == "unreachable" and not self._state.proven.is_set():
            return EndpointUnusable(
                f"{error}{_is_it_running(str(error))} {self._start}".rstrip(), kind=error.kind
            )
        if error.status in _UNUSABLE:
            self._state.unusable_in_a_row += 1
            # A wrong key concerns every picture; a 403 or 404 may concern one, until it comes again.
            enough = 1 if error.status == 401 else 10 if self._state.proven.is_set() else 3
            if self._state.unusable_in_a_row >= enough:
                return EndpointUnusable(str(error), kind=error.kind, status=error.status)
        return error
