"""One service over HTTP: requests out, answers or one of our errors in."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import urllib.parse
import urllib.request
from collections.abc import AsyncIterator, Hashable, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
import orjson

from cutline.credentials import Secret, without_credentials
from cutline.errors import EndpointUnusable, Retryable

MAX_RESPONSE_BYTES = 8_000_000
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})  # which a proxy would take for itself
_NO_HEADERS: Mapping[str, str] = {}
carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=_NO_HEADERS)
"""Headers that requests to the service itself have besides their own, such as those of a trace."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes


def proxy_for(url: str) -> str | None:
    """The proxy that environment or system name for this address; looked up once, not for every request."""
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname or parts.hostname in _HERE or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)


class Endpoint:
    """The connections to the service at ``url``; ``timeout`` is in seconds, for one request.

    ``shown`` is its address as messages may show it.
    """

    def __init__(self, url: str, *, key: Secret | None, timeout: float) -> None:
        self.url = url.rstrip("/")
        self.shown = without_credentials(self.url)
        self.key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 30.0))
        self._session: aiohttp.ClientSession | None = None
        self._proxy = proxy_for(url)

    @property
    def limit_key(self) -> Hashable:
        """Equal where the same server is called with the same key; neither is in it in the clear."""
        parts = urllib.parse.urlsplit(self.url)
        place = parts.scheme, parts.hostname, parts.port, parts.path
        secret = f"{parts.username}:{parts.password}:{self.key.reveal() if self.key else ''}"
        return place, hashlib.blake2b(secret.encode()).digest()

    async def send(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        with_key: bool = True,
    ) -> Answer:
        """The answer to one request, whatever its status; ``with_key=False`` is for what needs no key.

        Raises:
            Retryable: there is no answer, or no end of it.
            EndpointUnusable: the address is none.
        """
        async with self.exchange(method, url, body, headers=headers, with_key=with_key) as response:
            return Answer(response.status, response.headers, await _read(response))

    @contextlib.asynccontextmanager
    async def exchange(
        self,
        method: str,
        url: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        with_key: bool = True,
        longer: float = 0.0,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """As ``send``, with the answer still to be read; ``body`` may be any of aiohttp's.

        ``longer``: seconds that are added to the time limit, for what is large.
        """
        session = self._open_session()
        sent = {**carried.get(), **headers} if with_key else headers
        if with_key and self.key:
            sent = {**sent, "Authorization": f"Bearer {self.key.reveal()}"}
        total = (self._timeout.total or 0.0) + longer
        timeout = aiohttp.ClientTimeout(total=total, connect=self._timeout.connect)
        try:
            # No redirects: they would turn a POST into a GET, and could carry the key elsewhere.
            async with session.request(
                method,
                url,
                data=body,
                headers=sent,
                allow_redirects=False,
                proxy=self._proxy if url.startswith(self.url) else proxy_for(url),
                timeout=timeout,
            ) as response:
                yield response
        except TimeoutError:
            raise Retryable("timeout", f"{self.shown} did not answer within {total:g} s") from None
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0
            reason = os.strerror(number) if number > 0 else error.os_error.strerror or str(error.os_error)
            raise Retryable("unreachable", f"cannot connect to {self.shown} ({reason})") from None
        except (aiohttp.InvalidURL, UnicodeError):  # the latter of a name with an empty or too long part
            raise EndpointUnusable(
                f"{self.shown} is not a URL; pass --endpoint http://host:port/v1"
            ) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Retryable(
                "connection", f"{self.shown} broke the connection ({type(error).__name__})"
            ) from None

    def parsed(self, answer: Answer) -> Any:
        """The JSON of an answer.

        Raises:
            Retryable: it is none.
        """
        try:
            return orjson.loads(answer.content)
        except orjson.JSONDecodeError:
            raise Retryable("malformed", f"{self.shown} sent a body that is not JSON") from None

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=0),  # the slots above us are the limit
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """The body, refused when it is larger than any caption can be."""
    chunks = []
    size = 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > MAX_RESPONSE_BYTES:
            response.close()
            raise Retryable("malformed", f"the endpoint's answer is larger than {MAX_RESPONSE_BYTES:,} bytes")
        chunks.append(chunk)
    return b"".join(chunks)
