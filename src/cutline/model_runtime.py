"""The background loop that loaded models run on, one for the process."""

from __future__ import annotations

import atexit
import contextlib
import threading

from cutline.background_loop import BackgroundLoop
from cutline.captioners.pool import CaptionerPool
from cutline.credentials import Secret
from cutline.engine.model_session import ModelSession
from cutline.engine.progress import Progress, ProgressHook
from cutline.job import Job


class Runtime:
    """The background loop and the pool of captioners that all loaded models share."""

    def __init__(self) -> None:
        self.loop = BackgroundLoop("cutline-models")
        self.pool = CaptionerPool()
        self.sessions: set[ModelSession] = set()

    async def open(self, job: Job, key: Secret | None, show: ProgressHook) -> ModelSession:
        session = ModelSession(job, key, self.pool)
        self.sessions.add(session)
        try:
            await session.open(lambda line: show(Progress(waiting_for=line)))
        except BaseException:
            await self.close(session)
            raise
        return session

    async def close(self, session: ModelSession) -> None:
        if session in self.sessions:
            self.sessions.discard(session)
            await session.aclose()


_lock = threading.Lock()
_runtime: Runtime | None = None


def started_runtime() -> Runtime:
    """The runtime, started by the first call in this process."""
    global _runtime  # noqa: PLW0603 - one for the process, so that equal models are shared
    with _lock:
        if _runtime is None or not _runtime.loop.is_alive:
            _runtime = Runtime()
        return _runtime


def runtime_in_use() -> Runtime | None:
    """The runtime if a model is loaded that a call from this thread can use."""
    runtime = _runtime
    usable = runtime is not None and runtime.loop.is_alive and not runtime.loop.is_current
    return runtime if usable and runtime is not None and runtime.sessions else None


@atexit.register
def _close_all() -> None:
    runtime = runtime_in_use()
    if runtime is not None:
        for session in list(runtime.sessions):
            with contextlib.suppress(Exception):
                runtime.loop.submit(runtime.close(session)).result(timeout=5)


def abandon(runtime: Runtime, session: ModelSession) -> None:
    """Close the session of a model that nobody holds any more, without waiting for it."""
    if runtime.loop.is_alive:
        runtime.loop.submit(runtime.close(session))
