"""One service over HTTP: requests out, answers or one of our errors in."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import math
import re
import urllib.parse
from collections.abc import AsyncIterator, Hashable, Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
import orjson

from cutline.captioners.hosted.connection_failures import connection_failure
from cutline.captioners.hosted.proxies import Proxy, proxy_for, socks_errors
from cutline.credentials import Secret, Secrets, without_credentials
from cutline.endpoint_headers import EndpointHeaders
from cutline.errors import Retryable

MAX_RESPONSE_BYTES = 8_000_000
_AZURE = re.compile(r".+\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)")
_OF_AZURE = "/openai/deployments/"  # in a path, behind whatever host, such as a gateway's
_CHARSET = re.compile(r"""charset=["']?([\w.:-]+)""", re.IGNORECASE)
_APART = 64 * 1024  # bytes; to copy less takes no longer than to call the system once more
_NO_HEADERS: Mapping[str, str] = {}
carried: ContextVar[Mapping[str, str]] = ContextVar("carried", default=_NO_HEADERS)
"""Headers that requests to the service itself have besides their own, such as those of a trace."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    content: bytes


class _Parts(aiohttp.Payload):
    """A body in parts, sent one after the other: to join them would copy the picture in it twice."""

    def __init__(self, parts: tuple[bytes, ...]) -> None:
        super().__init__(parts, content_type="application/json")
        self._size = sum(map(len, parts))

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return b"".join(self._value).decode(encoding, errors)

    async def write(self, writer: aiohttp.abc.AbstractStreamWriter) -> None:
        for part in self._value:
            await writer.write(part)


class Endpoint:
    """The connections to the service at ``url``; ``timeout`` is in seconds, for one request.

    A query in the URL (``?api-version=…``) is sent with every request to the service, and so is ``own``.
    ``shown`` is its address as messages may show it.
    """

    def __init__(
        self, url: str, *, key: Secret | None, timeout: float, own: EndpointHeaders | None = None
    ) -> None:
        place, _, query = url.partition("#")[0].partition("?")
        self._own = own or EndpointHeaders()
        self._query = "&".join(filter(None, (query, urllib.parse.urlencode(self._own.query))))
        self.secrets = Secrets(key, *self._own.secrets)
        self.url = place.rstrip("/")
        self.shown = without_credentials(self.url)
        self.key = key
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 30.0))
        self._sessions: dict[Proxy | None, aiohttp.ClientSession] = {}
        self._proxy = proxy_for(url)

    @property
    def limit_key(self) -> Hashable:
        """Equal where the same server is called with the same key; neither is in it in the clear."""
        parts = urllib.parse.urlsplit(self.url)
        place = parts.scheme, parts.hostname, parts.port, parts.path
        own = sorted(self._own.headers.items()), self._own.query
        secret = f"{parts.username}:{parts.password}:{self.key.reveal() if self.key else ''}:{own}"
        return place, hashlib.blake2b(secret.encode()).digest()

    async def send(
        self,
        method: str,
        url: str,
        body: bytes | tuple[bytes, ...] | aiohttp.Payload | None = None,
        *,
        headers: Mapping[str, str] = _NO_HEADERS,
        with_key: bool = True,
        longer: float = 0.0,
    ) -> Answer:
        """The answer to one request, whatever its status; ``with_key=False`` is for what needs no key.

        ``body``: whole or in parts.
        ``longer`` as in ``exchange``.

        Raises:
            Retryable: there is no answer, or no end of it.
            EndpointUnusable: the address is none.
        """
        if isinstance(body, tuple):
            body = b"".join(body) if sum(map(len, body)) < _APART else _Parts(body)
        async with self.exchange(
            method, url, body, headers=headers, with_key=with_key, longer=longer
        ) as response:
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

        ``longer``: seconds that are added to the time limit, for what is large; infinite where the caller
        limits the time.
        """
        is_own = url.startswith(self.url)
        proxy = self._proxy if is_own else proxy_for(url)
        if is_own and self._query:
            url = f"{url}{'&' if '?' in url else '?'}{self._query}"
        session = self._open_session(proxy if proxy and proxy.is_socks else None)
        sent = {**carried.get(), **headers} if with_key else headers
        if with_key and self.key:
            sent = {**sent, **self._key_header(self.key)}
        if self._own.headers and _origin(url) == _origin(self.url):
            sent = _with_headers(sent, self._own.headers)
        total = (self._timeout.total or 0.0) + longer
        timeout = aiohttp.ClientTimeout(
            total=total if total < math.inf else None, connect=self._timeout.connect
        )
        try:
            # No redirects: they would turn a POST into a GET, and could carry the key elsewhere.
            async with session.request(
                method,
                url,
                data=body,
                headers=sent,
                allow_redirects=False,
                proxy=proxy.url if proxy and not proxy.is_socks else None,
                timeout=timeout,
            ) as response:
                yield response
        except _failures() as error:
            raise connection_failure(error, shown=self.shown, proxy=proxy, seconds=total) from None

    def _key_header(self, key: Secret) -> dict[str, str]:
        place = urllib.parse.urlsplit(self.url)
        if _AZURE.fullmatch(place.hostname or "") or _OF_AZURE in place.path:
            # A bearer token is another thing there: https://learn.microsoft.com/azure/ai-foundry/openai/reference
            return {"api-key": key.reveal()}
        return {"Authorization": f"Bearer {key.reveal()}"}

    def stored(self, answer: Answer) -> bytes:
        """The content of an answer as it may be kept: a key that the endpoint echoes is not in it."""
        return self.secrets.redact_bytes(answer.content)

    def parsed(self, answer: Answer) -> Any:
        """The JSON of an answer, without the key.

        Raises:
            Retryable: it is none.
        """
        content = self.stored(answer)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            pass
        try:  # a mark of byte order, another encoding, NaN, half a pair of surrogates
            return json.loads(content)
        except ValueError:
            pass
        try:
            return json.loads(_decoded(content, answer.headers))
        except (ValueError, RecursionError):
            raise Retryable("malformed", f"{self.shown} {_body(content)}") from None

    async def aclose(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _open_session(self, socks: Proxy | None) -> aiohttp.ClientSession:
        """A session of its own for each SOCKS proxy, as that is a matter of the connections."""
        session = self._sessions.get(socks)
        if session is None:
            session = self._sessions[socks] = aiohttp.ClientSession(
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                timeout=self._timeout,
                # The slots above us are the limit.
                connector=socks.connector() if socks else aiohttp.TCPConnector(limit=0),
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return session


def _decoded(content: bytes, headers: Mapping[str, str]) -> str:
    """The text of a body in the encoding that its Content-Type names, or else in UTF-8."""
    charset = _CHARSET.search(headers.get("Content-Type", ""))
    with contextlib.suppress(LookupError):
        return content.decode(charset[1] if charset else "utf-8", "replace")
    return content.decode("utf-8", "replace")


def _body(content: bytes) -> str:
    """What an answer that cannot be read is."""
    start = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if not start:
        return "sent an empty body"
    if start == b"<":
        return "sent an HTML page and no JSON; is the URL that of the API (most end in /v1)?"
    return "sent a body that is not JSON"


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _with_headers(sent: Mapping[str, str], own: Mapping[str, str]) -> Mapping[str, str]:
    """``sent`` with ``own`` in place of those of the same name."""
    replaced = {name.lower() for name in own}
    return {**{name: value for name, value in sent.items() if name.lower() not in replaced}, **own}


def _failures() -> tuple[type[Exception], ...]:
    return (aiohttp.ClientError, ConnectionError, TimeoutError, UnicodeError, *socks_errors())


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
