"""The synchronous client: runs the asynchronous one in a thread of its own."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

from cutline.background_loop import BackgroundLoop
from cutline.client.async_client import AsyncClient
from cutline.errors import ConfigError

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _plain(
    method: Callable[Concatenate[AsyncClient, _P], Coroutine[Any, Any, _T]],
) -> Callable[Concatenate[Client, _P], _T]:
    """The same method as a plain call."""

    @functools.wraps(method, assigned=("__name__", "__doc__"))
    def call(client: Client, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return client._run(lambda inner: method(inner, *args, **kwargs))  # noqa: SLF001 - a method of it

    return call


class Client:
    """``AsyncClient`` with plain calls, also for notebooks. Use it as a context manager, or call ``close``.

    Its methods are those of ``AsyncClient``, and raise as they do; ``on_progress`` of ``wait`` is called in
    the client's own thread. Threads can share one client.
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
        weakref.finalize(self, _close, self._loop, self._inner)  # of a client that nobody closes

    def __repr__(self) -> str:
        return repr(self._inner).replace("Async", "", 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; a closed client takes no more calls."""
        _close(self._loop, self._inner)

    ready = _plain(AsyncClient.ready)
    caption = _plain(AsyncClient.caption)
    batch = _plain(AsyncClient.batch)
    submit = _plain(AsyncClient.submit)
    status = _plain(AsyncClient.status)
    results = _plain(AsyncClient.results)
    save_results = _plain(AsyncClient.save_results)
    cancel = _plain(AsyncClient.cancel)
    wait = _plain(AsyncClient.wait)

    def _run(self, call: Callable[[AsyncClient], Coroutine[Any, Any, _T]]) -> _T:
        if not self._loop.is_alive:
            raise ConfigError("the client is closed: create a new one")
        return self._loop.run(call(self._inner))


def _close(loop: BackgroundLoop, client: AsyncClient) -> None:
    if loop.is_alive and not loop.is_current:
        loop.run(client.aclose())
        loop.close()
