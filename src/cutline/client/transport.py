"""HTTP requests to the service, with its key, retries and typed errors."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Any, Final

import aiohttp
import orjson

from cutline.captioners.hosted.proxies import proxy_for, socks_errors
from cutline.credentials import Secret, without_credentials
from cutline.errors import ConfigError, EndpointUnusable, Rejected, Retryable
from cutline.records import JSON
from cutline.retry_policy import MAX_DELAY, delay, retry_after, spread, with_retries

_RETRYABLE: Final = frozenset({408, 429, 500, 502, 503, 504})
_STREAM_TIMEOUT: Final = 60.0  # seconds without data after which a stream of events counts as cut


def _unreachable() -> tuple[type[Exception], ...]:
    return (aiohttp.ClientConnectorError, *socks_errors())


class Transport:
    """Requests to one service; what may succeed later is retried up to ``retries`` times."""

    def __init__(self, url: str, key: Secret | None, *, timeout: float, retries: int) -> None:
        if not url.startswith(("http://", "https://")):
            raise ConfigError(f"{url!r} is not the URL of a service: write http://host:port")
        self.url = url.rstrip("/")
        self.shown = without_credentials(self.url)
        self._key = key
        self._timeout = timeout
        self._retries = retries
        proxy = proxy_for(self.url)
        self._socks = proxy if proxy and proxy.is_socks else None
        self._proxy = proxy.url if proxy and not proxy.is_socks else None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def request(
        self,
        method: str,
        path: str,
        *,
        data: JSON | None = None,
        form: Callable[[], aiohttp.FormData] | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int | None = None,
    ) -> Any:
        """The response's JSON; ``form`` makes a new form for each attempt.

        Raises:
            Rejected: the request would fail again; with the server's reason and status.
            Retryable: it failed after all retries.
            EndpointUnusable: the key is not accepted.
        """
        sent = dict(headers or {})
        if data is not None:
            sent["Content-Type"] = "application/json"
        encoded = orjson.dumps(data) if data is not None else None

        async def once() -> Any:
            body: Any = form() if form is not None else encoded
            with self._typed_errors():
                return orjson.loads(await self._content(method, path, data=body, headers=sent))

        return await with_retries(once, 1 + (self._retries if retries is None else retries), _wait)

    async def download(self, path: str) -> bytes:
        """The bytes of a response that is a file; raises as ``request``."""

        async def once() -> bytes:
            with self._typed_errors():
                return await self._content("GET", path)

        return await with_retries(once, 1 + self._retries, _wait)

    async def _content(self, method: str, path: str, **sent: Any) -> bytes:
        # No redirects: they could leak the key.
        async with self._opened().request(
            method, self.url + path, allow_redirects=False, proxy=self._proxy, **sent
        ) as response:
            content = await response.read()
        if response.status >= 300:
            raise self._error(response.status, response.headers, content)
        return content

    async def events(self, path: str) -> AsyncIterator[tuple[str, JSON]]:
        """Server-sent events, as names and data, until the server ends them; raises as ``request``."""
        timeout = aiohttp.ClientTimeout(total=None, sock_read=_STREAM_TIMEOUT)
        name = ""
        with self._typed_errors():
            request = self._opened().get(
                self.url + path, timeout=timeout, allow_redirects=False, proxy=self._proxy
            )
            async with request as response:
                if response.status != 200:
                    raise self._error(response.status, response.headers, await response.read())
                async for line in response.content:
                    field, _, value = line.decode().rstrip("\r\n").partition(": ")
                    if field == "event":
                        name = value
                    elif field == "data":
                        yield name, orjson.loads(value)

    @contextlib.contextmanager
    def _typed_errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError:
            message = f"{self.shown} did not respond within {self._timeout:g} s"
            raise Retryable("timeout", message) from None
        except _unreachable():
            message = f"cannot connect to {self.shown}: is cutline serve running there?"
            raise Retryable("unreachable", message) from None
        except orjson.JSONDecodeError:
            raise Retryable("malformed", f"{self.shown} sent a body that is not JSON") from None
        except (aiohttp.InvalidURL, ValueError):
            raise ConfigError(f"{self.shown} is not a valid URL: write http://host:port") from None
        except (aiohttp.ClientError, ConnectionError) as error:
            message = f"{self.shown} broke the connection ({type(error).__name__})"
            raise Retryable("connection", message) from None

    def _error(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        text, kind = content.decode("utf-8", "replace"), "rejected"
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
            error = orjson.loads(content)
            text, kind = str(error["detail"]), str(error.get("kind", kind))
        if self._key is not None:
            text = self._key.redact(text)
        message = f"{self.shown} responded {status}: {' '.join(text.split())[:300]}"
        if status == 404 and self.url.endswith("/v1"):
            root = self.shown.removesuffix("/v1")
            message = f"{self.shown} is the address for OpenAI's clients: the service itself is at {root}"
        if status == 401:
            return EndpointUnusable(f"{message}; pass api_key, or set CUTLINE_SERVICE_KEY")
        if status in _RETRYABLE:
            kind = "rate-limit" if status == 429 else "endpoint"
            return Retryable(kind, message, status=status, retry_after=retry_after(headers))
        return Rejected(kind, message, status=status)

    def _opened(self) -> aiohttp.ClientSession:
        if self._closed:
            raise ConfigError("the client is closed: create a new one")
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._key.reveal()}"} if self._key is not None else {}
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=self._timeout, connect=min(self._timeout, 30.0)),
                connector=self._socks.connector() if self._socks else None,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
            weakref.finalize(self, _drop, self._session)  # of a client that nobody closes
        return self._session

    async def aclose(self) -> None:
        self._closed = True
        if self._session is not None:
            await self._session.close()
            self._session = None


def _drop(session: aiohttp.ClientSession) -> None:
    """Close a session whose event loop may have ended, as far as that goes without waiting."""
    closed = session.close()
    with contextlib.suppress(StopIteration, RuntimeError):
        closed.send(None)
    closed.close()


def _wait(error: Retryable) -> float:
    """Seconds before the next attempt, bounded whatever the server sends."""
    wait = error.retry_after
    return spread(min(delay(error.attempts, first=1.0) if wait is None else wait, MAX_DELAY))
