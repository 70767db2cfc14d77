"""Calls of code that is not ours: in threads that nobody has to wait for, and whatever they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

from cutline.batching import in_background
from cutline.errors import ConfigError, CutlineError, Rejected, RunStopped, SampleError

MOST_LOST: Final = 16
"""So many calls that never came back end the run: each still holds its thread, and perhaps the model."""


class Calls:
    """Calls one model's code; ``name`` is the model's.

    A call that takes longer than ``timeout`` seconds is left behind in its thread, which keeps nobody
    from going on, and does not keep the program from ending.
    """

    def __init__(self, name: str, *, timeout: float) -> None:
        self._name = name
        self._timeout = timeout
        self._changing = threading.Lock()
        self._lost = 0

    async def start(self, work: Callable[[], object]) -> object:
        """What ``work`` makes, however long it takes.

        Raises:
            ConfigError: it cannot.
        """
        made, error = await in_background(lambda: attempt(work))
        if isinstance(error, ConfigError):
            raise error
        if error is not None:
            raise ConfigError(f"{self._name} cannot be loaded: {told(error)}") from error
        return made

    async def call(self, work: Callable[[], object]) -> object:
        """What ``work`` gives.

        Raises:
            Rejected: ``timeout``; the same call would block again.
            RunStopped: too many calls did not come back.
            Exception: what it raised.
        """
        if self._lost >= MOST_LOST:
            raise self.lost()
        flight = _Flight()
        try:
            async with asyncio.timeout(self._timeout):
                result, error = await in_background(lambda: self._fly(flight, work))
        except TimeoutError:
            self._note_lost(flight)
            raise self.too_late() from None
        if error is not None:
            raise harmless(error)
        return result

    def too_late(self) -> Rejected:
        return Rejected("timeout", f"{self._name} did not answer within {self._timeout:g} s")

    def lost(self) -> RunStopped:
        return RunStopped(
            f"{MOST_LOST} calls of {self._name} did not come back within {self._timeout:g} s (--timeout), "
            "and still run: mend the model, then the same command goes on"
        )

    def _note_lost(self, flight: _Flight) -> None:
        with self._changing:
            flight.lost = not flight.ended
            self._lost += flight.lost

    def _fly(self, flight: _Flight, work: Callable[[], object]) -> tuple[object, BaseException | None]:
        try:
            return attempt(work)
        finally:
            with self._changing:
                flight.ended = True
                self._lost -= flight.lost


class _Flight:
    """Where a call is: it may come back after it was given up."""

    def __init__(self) -> None:
        self.ended = self.lost = False


def attempt(work: Callable[[], object]) -> tuple[object, BaseException | None]:
    """What ``work`` gives or raises, as values: an exit or a cancellation must not travel as itself."""
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - it belongs to one picture
        return None, error


def harmless(error: BaseException) -> Exception:
    """The error as one that ends nothing but the picture's own way."""
    ordinary = isinstance(error, Exception) and not isinstance(error, StopIteration | TimeoutError)
    if isinstance(error, CutlineError) or ordinary:
        assert isinstance(error, Exception)
        return error
    return SampleError("captioner", told(error))


def told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}".rstrip(": ")
