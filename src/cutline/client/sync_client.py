"""The synchronous client: runs the asynchronous one in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Self, TypeVar, Unpack

from cutline.background_loop import BackgroundLoop
from cutline.client.async_client import AsyncClient
from cutline.client.records import Image, TaskProgress
from cutline.errors import ConfigError
from cutline.records import CaptionOptions, CaptionResult

_T = TypeVar("_T")


class Client:
    """``AsyncClient`` with plain calls, also for notebooks. Use it as a context manager, or call ``close``.

    Its methods raise as those of ``AsyncClient``. Threads can share one client.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 600.0,
        retries: int = 4,
    ) -> None:
        self._inner = AsyncClient(url, api_key=api_key, timeout=timeout, retries=retries)
        self._loop = BackgroundLoop("cutline-client")

    def __repr__(self) -> str:
        return repr(self._inner).replace("Async", "", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a closed client takes no more calls."""
        if self._loop.is_alive:
            self._loop.run(self._inner.aclose())
            self._loop.close()

    def ready(self) -> bool:
        return self._wait(self._inner.ready())

    def caption(self, image: Image, **options: Unpack[CaptionOptions]) -> CaptionResult:
        return self._wait(self._inner.caption(image, **options))

    def batch(self, images: Sequence[Image], **options: Unpack[CaptionOptions]) -> list[CaptionResult]:
        return self._wait(self._inner.batch(images, **options))

    def submit(
        self,
        images: Sequence[Image],
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CaptionOptions],
    ) -> str:
        work = self._inner.submit(images, webhook_url=webhook_url, idempotency_key=idempotency_key, **options)
        return self._wait(work)

    def status(self, task_id: str) -> TaskProgress:
        return self._wait(self._inner.status(task_id))

    def results(self, task_id: str) -> list[CaptionResult]:
        return self._wait(self._inner.results(task_id))

    def cancel(self, task_id: str) -> TaskProgress:
        return self._wait(self._inner.cancel(task_id))

    def wait(self, task_id: str, on_progress: Callable[[TaskProgress], object] | None = None) -> TaskProgress:
        """As ``AsyncClient.wait``; ``on_progress`` is called in the client's own thread."""
        return self._wait(self._inner.wait(task_id, on_progress))

    def _wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        if not self._loop.is_alive:
            work.close()
            raise ConfigError("the client is closed: create a new one")
        return self._loop.run(work)
