"""Calls that block, of code that is not ours: in threads that nobody has to wait for."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from cutline.batcher import in_background
from cutline.captioners.plugins.telling import told
from cutline.errors import ConfigError, CutlineError, Rejected, RunStopped, SampleError

_log = logging.getLogger(__name__)

MOST_LOST: Final = 16
"""So many calls that never came back end the run: each still holds its thread, and perhaps the model."""


class Calls:
    """Calls one model's code; ``name`` is the model's, ``file`` where its class is written.

    A call that takes longer than ``timeout`` seconds is left behind in its thread, which keeps nobody
    from going on, and does not keep the program from ending.
    """

    def __init__(self, name: str, *, file: str | None, timeout: float) -> None:
        self._name = name
        self._file = file
        self._timeout = timeout
        self._changing = threading.Lock()
        self._lost = 0

    async def start(self, work: Callable[[], object]) -> object:
        """What ``work`` makes, however long it takes.

        Raises:
            ConfigError: it cannot.
        """
        made, error = await in_background(lambda: attempt(work))
        if error is not None:
            raise unloadable(self._name, error, self._file)
        return made

    async def call(self, work: Callable[[], object]) -> object:
        """What ``work`` gives.

        Raises:
            Rejected: ``timeout``; the same call would block again.
            RunStopped: too many calls did not come back.
            Exception: what it raised.
        """
        if self._lost >= MOST_LOST:
            raise lost(self._name, self._timeout)
        flight = _Flight()
        try:
            async with asyncio.timeout(self._timeout):
                result, error = await in_background(lambda: self._fly(flight, work))
        except TimeoutError:
            self._note_lost(flight)
            raise Rejected("timeout", f"{self._name} did not answer within {self._timeout:g} s") from None
        if error is not None:
            raise harmless(error, self._file)
        return result

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


def harmless(error: BaseException, file: str | None) -> Exception:
    """The error as one that ends nothing but the picture's own way."""
    if isinstance(error, CutlineError | MemoryError):
        return error
    _log.debug("captioner raised", exc_info=error)
    return SampleError("captioner", told(error, file))


def unloadable(name: str, error: BaseException, file: str | None) -> ConfigError:
    if isinstance(error, ConfigError):
        return error
    return ConfigError(f"{name} cannot be loaded: {told(error, file)}")


def lost(name: str, timeout: float) -> RunStopped:
    return RunStopped(
        f"{MOST_LOST} calls of {name} did not come back within {timeout:g} s (--timeout), and still run: "
        "mend the model, then the same command goes on"
    )
