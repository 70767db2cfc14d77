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
from cutline.credentials import without_keys
from cutline.errors import ConfigError, CutlineError, Rejected, RunStopped, SampleError

_log = logging.getLogger(__name__)

MAX_LOST_CALLS: Final = 16
"""Abandoned calls that end the run: each still holds its thread, and perhaps the model."""

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
    """Calls one model's code. A call beyond its time limit is abandoned in its daemon thread."""

    def __init__(self, code: PluginCode) -> None:
        self._code = code
        self._lock = threading.Lock()
        self._lost = 0

    async def start(self, work: Callable[[], object]) -> object:
        """The model that ``work`` creates, without a time limit.

        Raises:
            ConfigError: it cannot be created.
        """
        model, error = await in_background(lambda: capture(work))
        if error is not None:
            raise self._code.load_error(error)
        return model

    async def call(self, work: Callable[[], object]) -> object:
        """The result of ``work``.

        Raises:
            Rejected: ``timeout``; the same call would block again.
            RunStopped: too many calls are abandoned.
            Exception: what it raised.
        """
        self._code.check_lost(self._lost)
        call = _Call()
        try:
            async with asyncio.timeout(self._code.timeout):
                result, error = await in_background(lambda: self._run(call, work))
        except TimeoutError:
            with self._lock:
                call.lost = not call.ended
                self._lost += call.lost
            raise Rejected("timeout", self._code.timeout_message) from None
        if error is not None:
            raise self._code.sample_error(error)
        return result

    def _run(self, call: _Call, work: Callable[[], object]) -> Outcome:
        try:
            return capture(work)
        finally:
            with self._lock:
                call.ended = True
                self._lost -= call.lost


class _Call:
    """State of a call; it may return after it was abandoned."""

    def __init__(self) -> None:
        self.ended = self.lost = False


def capture(work: Callable[[], object]) -> Outcome:
    """Result or error as values: SystemExit and CancelledError must not propagate as themselves."""
    try:
        return work(), None
    except BaseException as error:  # noqa: BLE001 - it belongs to one picture
        return None, error


def describe_error(error: BaseException, file: str | None) -> str:
    """Type and message of the error on one line, and the line in ``file`` that raised it."""
    if isinstance(error, SyntaxError) and error.filename == file:
        message, line = f"{type(error).__name__}: {error.msg}", error.lineno
    else:
        message = without_keys(" ".join(str(error).split()))[:300]
        if not isinstance(error, ConfigError):
            message = f"{type(error).__name__}: {message}".rstrip(": ")
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        line = lines[-1] if lines else None
    return f"{message} ({Path(file).name}, line {line})" if file and line else message
