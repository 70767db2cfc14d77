"""Concurrent downloads of pictures, within limits on size, time and connections."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import time
import weakref
import zlib
from typing import TYPE_CHECKING

import aiohttp
import yarl

from cutline.errors import PictureError, Retryable
from cutline.locations.addresses import PublicResolver, checked_url, shown
from cutline.locations.stored import InlineBytes
from cutline.retry_policy import delay, retry_after, with_retries
from cutline.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

USER_AGENT = f"cutline/{__version__}"
MAX_VALIDATOR = 200  # characters of an ETag that are kept
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429})
_WEB_PAGE = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchLimits:
    """What one download may cost, and how many run at once.

    ``max_bytes`` counts what was received, and what it decompresses to. ``seconds`` covers all attempts
    at one URL, without the waiting between them. A body slower than ``min_speed`` bytes a second, on
    average after ``patience`` seconds, is given up. ``max_wait`` bounds a Retry-After, in seconds.
    """

    max_bytes: int = 64 * 1024 * 1024
    seconds: float = 60.0
    connect_seconds: float = 10.0
    idle_seconds: float = 20.0
    min_speed: int = 1024
    patience: float = 5.0
    redirects: int = 5
    retries: int = 2
    backoff: float = 0.5
    max_wait: float = 30.0
    per_host: int = 16
    total: int = 64


class Fetcher:
    """Downloads pictures. One for a run: it keeps connections open between pictures."""

    def __init__(
        self, *, allow_private: bool = False, user_agent: str | None = None, limits: FetchLimits | None = None
    ) -> None:
        """``user_agent``: how to call ourselves; many hosts refuse or slow down programs they cannot name."""
        self._allow_private = allow_private
        self._user_agent = user_agent or USER_AGENT
        self._limits = limits or FetchLimits()
        self._session: aiohttp.ClientSession | None = None
        self._total = asyncio.Semaphore(self._limits.total)
        self._hosts: weakref.WeakValueDictionary[str, asyncio.Semaphore] = weakref.WeakValueDictionary()

    async def fetch(self, url: str) -> InlineBytes:
        """Download one picture.

        Raises:
            PictureError: ``blocked-address``, ``bad-url``, ``too-large``, or ``fetch`` for everything else.
                The message never holds the URL's password or query.
        """
        found = await self.fetch_changed(url, "")
        assert found is not None  # an answer 304 to an unconditional request is an error
        return found

    async def fetch_changed(self, url: str, validator: str) -> InlineBytes | None:
        """As ``fetch``, but None where the server says that it still has the version of a ``validator``."""
        limits = self._limits
        deadline, conditions = _Deadline(limits.seconds), _conditions(validator)

        def wait(error: Retryable) -> float | None:
            pause = max(error.retry_after or 0.0, delay(error.attempts, first=limits.backoff))
            return min(pause, limits.max_wait) if deadline.left > 0 else None

        try:
            return await with_retries(
                lambda: self._attempt(url, deadline, conditions), limits.retries + 1, wait
            )
        except Retryable as error:
            tried = f" ({error.attempts} attempts)" if error.attempts > 1 else ""
            raise PictureError("fetch", f"{shown(url)}: {error}{tried}") from error

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _attempt(
        self, text: str, deadline: _Deadline, conditions: Mapping[str, str]
    ) -> InlineBytes | None:
        """One attempt with its redirects; waiting for a connection takes none of the deadline."""
        name = shown(text)
        for _ in range(self._limits.redirects + 1):
            url = checked_url(text, allow_private=self._allow_private)
            async with self._host(url.raw_host or ""), self._total:
                result = await self._request(url, name, deadline, conditions)
            if not isinstance(result, str):
                return result
            text = result
        raise PictureError("fetch", f"{shown(text)}: more than {self._limits.redirects} redirects")

    async def _request(
        self, url: yarl.URL, name: str, deadline: _Deadline, conditions: Mapping[str, str]
    ) -> InlineBytes | str | None:
        """The body, under its ``name``, or the URL of a redirect; None where the picture is unchanged."""
        started = time.monotonic()
        try:
            async with (
                asyncio.timeout(deadline.left),
                self._open().get(url, allow_redirects=False, headers=conditions) as response,
            ):
                if response.status in _REDIRECTS and "Location" in response.headers:
                    return _target(url, response.headers["Location"])
                if response.status == 304 and conditions:
                    return None
                self._check_status(url, response)
                body, validator = await self._body(url, response), _validator(response)
        except TimeoutError as error:
            raise Retryable("timeout", "timed out") from error
        except (aiohttp.ClientError, OSError) as error:
            if _is_final(error):
                raise PictureError("fetch", f"{shown(str(url))}: {_cause(error)}") from error
            raise Retryable("connection", _cause(error)) from error
        finally:
            deadline.left -= time.monotonic() - started
        return InlineBytes(_picture(url, body), name, validator)

    def _check_status(self, url: yarl.URL, response: aiohttp.ClientResponse) -> None:
        status = response.status
        if status in _TRANSIENT or status >= 500:
            wait = retry_after(response.headers)
            raise Retryable("status", f"the server returned {status}", status=status, retry_after=wait)
        if status != 200:
            raise PictureError("fetch", f"{shown(str(url))}: the server returned {status}")
        if (response.content_length or 0) > self._limits.max_bytes:
            raise self._too_large(url)

    async def _body(self, url: yarl.URL, response: aiohttp.ClientResponse) -> bytes:
        limits = self._limits
        coding = response.headers.get("Content-Encoding", "").strip().lower()
        chunks: list[bytes] = []
        size, started = 0, time.monotonic()
        async for chunk in response.content.iter_any():
            chunks.append(chunk)
            size += len(chunk)
            if size > limits.max_bytes:
                raise self._too_large(url)
            elapsed = time.monotonic() - started
            if elapsed > limits.patience and size < elapsed * limits.min_speed:
                raise PictureError(
                    "fetch", f"{shown(str(url))}: slower than {limits.min_speed:,} bytes a second"
                )
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        if coding in {"", "identity"}:
            return data
        return self._decompressed(url, coding, data)

    def _decompressed(self, url: yarl.URL, coding: str, data: bytes) -> bytes:
        if coding not in {"gzip", "x-gzip", "deflate"}:
            raise PictureError(
                "fetch", f"{shown(str(url))}: Content-Encoding {coding[:20]!r} is not supported"
            )
        unpack = zlib.decompressobj(wbits=47)  # gzip or zlib, whichever the header says
        try:
            result = unpack.decompress(data, self._limits.max_bytes + 1)
        except zlib.error as error:
            raise PictureError("fetch", f"{shown(str(url))}: the compressed body is damaged") from error
        if len(result) > self._limits.max_bytes:
            raise self._too_large(url)
        if not unpack.eof:
            raise Retryable("cut", "the body was cut")
        return result

    def _too_large(self, url: yarl.URL) -> PictureError:
        limit = self._limits.max_bytes
        return PictureError("too-large", f"{shown(str(url))}: more than {limit:,} bytes")

    def _host(self, name: str) -> asyncio.Semaphore:
        """The connections of one host."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = asyncio.Semaphore(self._limits.per_host)
        return host

    def _open(self) -> aiohttp.ClientSession:
        """The session belongs to the event loop, so it is made by the first download."""
        if self._session is None:
            limits = self._limits
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0, resolver=PublicResolver(allow_private=self._allow_private), ttl_dns_cache=60
                ),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=limits.connect_seconds, sock_read=limits.idle_seconds
                ),
                auto_decompress=False,
                trust_env=False,  # a proxy would connect on our behalf, to addresses nobody checked
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={
                    "Accept": "image/*,*/*;q=0.5",
                    "Accept-Encoding": "identity",
                    "User-Agent": self._user_agent,
                },
            )
        return self._session


@dataclasses.dataclass(slots=True)
class _Deadline:
    """The seconds that a picture's requests have left, all attempts and redirects together."""

    left: float


def _target(url: yarl.URL, location: str) -> str:
    """Where a redirect leads; the next hop is checked like the first URL."""
    try:
        return str(url.join(yarl.URL(location, encoded=location.isascii())))
    except ValueError as error:
        raise PictureError("fetch", f"{shown(str(url))}: redirects to an invalid URL") from error


def _validator(response: aiohttp.ClientResponse) -> str:
    """The response's version, in the form that ``_conditions`` takes; empty where it names none."""
    for name in ("ETag", "Last-Modified"):
        value = response.headers.get(name, "").strip()
        if value and len(value) <= MAX_VALIDATOR and value.isascii() and value.isprintable():
            return f"{name}: {value}"
    return ""


def _conditions(validator: str) -> dict[str, str]:
    """The headers of a request for another version than this one (RFC 9110, 13.1)."""
    name, _, value = validator.partition(": ")
    condition = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}.get(name)
    return {condition: value} if condition and value else {}


def _picture(url: yarl.URL, body: bytes) -> bytes:
    if not body:
        raise PictureError("fetch", f"{shown(str(url))}: the response is empty")
    start = body[:1024].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_WEB_PAGE):
        raise PictureError("fetch", f"{shown(str(url))}: the response is a web page, not a picture")
    return body


def _is_final(error: Exception) -> bool:
    """Whether a retry cannot help: the name does not exist, the certificate or the URL is invalid."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return error.os_error.errno != socket.EAI_AGAIN
    return isinstance(error, aiohttp.InvalidURL | aiohttp.ClientConnectorCertificateError)


def _cause(error: Exception) -> str:
    """The reason of a failed request, without the URL."""
    for kind, cause in _CAUSES:
        if isinstance(error, kind):
            return cause
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect ({error.os_error.strerror or 'no reason given'})"
    reason = error.strerror if isinstance(error, OSError) else None
    return reason or type(error).__name__


_CAUSES: tuple[tuple[type[Exception], str], ...] = (
    (aiohttp.ClientConnectorDNSError, "the host's name cannot be resolved"),
    (aiohttp.ClientConnectorCertificateError, "the server's certificate is not valid"),
    (aiohttp.ClientPayloadError, "the body was cut"),
    (aiohttp.ServerDisconnectedError, "the server closed the connection"),
    (aiohttp.ClientResponseError, "the response is not valid HTTP"),
)
