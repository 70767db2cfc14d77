"""Calls of third-party code that blocks: each runs in a daemon thread and can be abandoned."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

from cutline.batcher import in_background
from cutline.captioners.plugins.guard import restore
from cutline.captioners.plugins.turns import Turn, Turns, grace, wait_for_end
from cutline.credentials import without_keys
from cutline.errors import ConfigError, CutlineError, Rejected, RunStopped, SampleError
from cutline.imaging.shapes import refuses_shape

_log = logging.getLogger(__name__)

MAX_LOST_CALLS: Final = 16
"""Abandoned calls that end the run: each still holds its thread, and perhaps the model."""

MAX_MESSAGE: Final = 10_000  # letters of an error that are looked at

Outcome: TypeAlias = tuple[object, BaseException | None]
"""The result of a call and the error that it raised."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PluginCode:
    """A model's code: the model's name, the file of its class, and the time limit of a call in seconds."""

    name: str
    file: str | None
    timeout: float

    @property
    def timeout_message(self) -> str:
        return f"{self.name} did not answer within {self.timeout:g} s"

    def sample_error(self, error: BaseException) -> Exception:
        """The error as one that fails a single picture."""
        if isinstance(error, CutlineError | MemoryError):
            return error
        _log.debug("captioner raised", exc_info=error)
        if isinstance(error, ValueError) and refuses_shape(str(error)):
            return SampleError("shape", describe_error(error, self.file))
        return SampleError("captioner", describe_error(error, self.file))

    def load_error(self, error: BaseException) -> ConfigError:
        if isinstance(error, ConfigError):
            return error
        return ConfigError(f"{self.name} cannot be loaded: {describe_error(error, self.file)}")

    def check_lost(self, calls: int) -> None:
        """Raises RunStopped when too many calls are abandoned."""
        if calls >= MAX_LOST_CALLS:
            raise RunStopped(
                f"{MAX_LOST_CALLS} calls of {self.name} did not return within {self.timeout:g} s (--timeout) "
                "and are still running: fix the model and run the same command again"
            )


class IsolatedCalls:
    """Calls one model's code, at most ``limit`` at once over all captioners of its class.

    A call beyond its time limit fails its picture, and keeps its turn until it returns. Only when it does
    not for a long time is it abandoned in its daemon thread: with all turns lost, ``replace`` is called, and
    later calls get a new model.
    """

    def __init__(
        self, code: PluginCode, turns: Turns, *, limit: int, replace: Callable[[], None] = lambda: None
    ) -> None:
        self._code, self._turns, self._limit, self._replace = code, turns, limit, replace
        self._lost: list[Turn] = []
        self._running: set[Turn] = set()
        self._watches: set[asyncio.Task[None]] = set()
        self._halted = threading.Event()

    def halt(self) -> None:
        """Start no more calls: those that wait raise RunStopped."""
        self._halted.set()
        self._turns.halt()

    async def start(self, work: Callable[[], object]) -> object:
        """The model that ``work`` creates, without a time limit.

        Raises:
            ConfigError: it cannot be created.
        """
        model, error = await in_background(lambda: capture(work))
        if error is not None:
            raise self._code.load_error(error)
        return model

    async def turn(self) -> Turn:
        """Wait for a turn.

        Raises:
            RunStopped: too many calls are abandoned, or ``halt`` was called.
        """
        turn = await self._turns.take(self._limit, self._halted)
        self._running = {one for one in self._running if not one.ended.is_set()} | {turn}
        try:
            self._code.check_lost(sum(not one.returned.is_set() for one in self._lost))
        except RunStopped:
            turn.end()
            raise
        return turn

    async def call(self, turn: Turn, work: Callable[[], object]) -> object:
        """The result of ``work``, which ends the turn when it returns, whether or not anyone waits for it.

        Raises:
            Rejected: ``timeout``; the same call would block again.
            Exception: what it raised.
        """

        def run() -> Outcome:
            try:
                return capture(work)
            finally:
                turn.end()

        try:
            async with asyncio.timeout(self._code.timeout):
                result, error = await in_background(run)
        except TimeoutError:
            self.watch(turn)
            raise Rejected("timeout", self._code.timeout_message) from None
        except RuntimeError:  # no thread can be started
            turn.end()
            raise
        if error is not None:
            raise self._code.sample_error(error)
        return result

    def watch(self, turn: Turn) -> None:
        """Count the call of this turn as lost if it does not return for a long time."""
        task = asyncio.create_task(self._watch(turn))
        self._watches.add(task)
        task.add_done_callback(self._watches.discard)

    async def _watch(self, turn: Turn) -> None:
        if await wait_for_end(turn, grace(self._code.timeout)):
            return
        self._lost = [one for one in self._lost if not one.returned.is_set()] + [turn]
        hung = [one for one in self._lost if not one.ended.is_set()]
        if len(hung) >= self._limit:
            self._replace()
            for one in hung:
                one.forgive()

    async def wait_until_idle(self) -> None:
        """Wait until all calls have returned, or are abandoned."""
        for turn in self._running:
            await wait_for_end(turn)

    def close(self) -> None:
        """Watch no call any more."""
        for task in self._watches:
            task.cancel()


def capture(work: Callable[[], object]) -> Outcome:
    """Result or error as values: SystemExit and CancelledError must not propagate as themselves."""
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - it belongs to one picture
        return None, error
    finally:
        restore()


def _text_of(error: BaseException) -> str:
    try:
        return str(error)[:MAX_MESSAGE]
    except Exception as broken:  # noqa: BLE001 - the error is the plug-in's own class
        return f"its __str__ raises {type(broken).__name__}"


def describe_error(error: BaseException, file: str | None) -> str:
    """Type and message of the error on one line, and the line in ``file`` that raised it."""
    if isinstance(error, SyntaxError) and error.filename == file:
        message, line = f"{type(error).__name__}: {error.msg}", error.lineno
    else:
        message = without_keys(" ".join(_text_of(error).split()))[:300]
        if not isinstance(error, ConfigError):
            message = f"{type(error).__name__}: {message}".rstrip(": ")
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        line = lines[-1] if lines else None
    return f"{message} ({Path(file).name}, line {line})" if file and line else message
