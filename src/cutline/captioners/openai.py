"""Any endpoint that speaks OpenAI's chat completions.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import dataclasses
import os
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import aiohttp
import orjson
import pybase64

from cutline.backoff import retry_after
from cutline.captioners import chat
from cutline.captioners.presets import Parameters, Preset
from cutline.captioners.secrets import Secret, without_credentials
from cutline.errors import EndpointUnusable, Rejected, Retryable
from cutline.imaging import Limits, Picture
from cutline.prompts import Prompt
from cutline.records import JSON, Reply

MAX_RESPONSE_BYTES = 8_000_000
_RETRIED = frozenset({408, 409, 425, 429})


class _Reads:
    """Whether pictures are read quickly enough to do it on the event loop.

    Handing a picture to a thread costs more than reading one that the system has in memory. After a
    slow read (a cold disk, a network share) the next ones go to threads again.
    """

    _SLOW = 0.003  # seconds
    _PENALTY = 500  # pictures

    def __init__(self) -> None:
        self._in_threads = 0

    @property
    def slow(self) -> bool:
        if self._in_threads:
            self._in_threads -= 1
        return self._in_threads > 0

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        start = time.perf_counter()
        yield
        if time.perf_counter() - start > self._SLOW:
            self._in_threads = self._PENALTY


def proxy_for(url: str) -> str | None:
    """The proxy that environment or system name for this address; looked up once, not for every request."""
    parts = urllib.parse.urlsplit(url)
    if not parts.hostname or urllib.request.proxy_bypass(parts.hostname):
        return None
    return urllib.request.getproxies().get(parts.scheme)


class OpenAIChat:
    """Asks ``POST {endpoint}/chat/completions``, the picture as a data URL.

    ``timeout`` is in seconds, for one request. ``url`` is the address that is asked.
    """

    def __init__(
        self,
        *,
        preset: Preset,
        model: str,
        endpoint: str,
        key: Secret | None,
        parameters: Parameters,
        limits: Limits,
        timeout: float = 300.0,
    ) -> None:
        self.name = f"{preset.name}:{model}"
        self._preset = preset
        self._model = model
        self._endpoint = endpoint.rstrip("/").removesuffix("/chat/completions")
        self.url = self._endpoint + "/chat/completions"
        self._shown = without_credentials(self._endpoint)
        self._key = key
        self._parameters = parameters
        self._limits = limits
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(timeout, 30.0))
        self._session: aiohttp.ClientSession | None = None
        self._reads = _Reads()
        self._proxy = proxy_for(endpoint)
        self._templates: dict[int, chat.Template] = {}
        self._owner = self  # who holds the connections

    def adjusted(self, parameters: Mapping[str, Any]) -> OpenAIChat:
        """The same endpoint over the same connections, asked with other parameters."""
        other = copy.copy(self)
        other._parameters = dataclasses.replace(self._parameters, **parameters)  # noqa: SLF001 - one of our own
        other._templates = {}  # noqa: SLF001 - one of our own
        other._owner = self  # noqa: SLF001 - one of our own
        return other

    async def prepare(self, picture: Picture) -> None:
        """Read and encode the picture; on the event loop while reading is quick and nothing is decoded."""
        if not self._reads.slow:
            with self._reads.timed():
                if picture.fit_untouched(self._limits) is not None:
                    return
        await asyncio.get_running_loop().run_in_executor(None, picture.fit, self._limits)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        encoded = picture.fit(self._limits)
        body = self._template(prompt).with_picture(encoded.mime, pybase64.b64encode(encoded.data))
        start = time.perf_counter()
        payload = await self._post(body)
        return chat.read_reply(payload, model=self._model, seconds=time.perf_counter() - start)

    async def models(self) -> list[str]:
        """The names that ``GET {endpoint}/models`` lists; empty where it lists none."""
        data = await self._request("GET", self._endpoint + "/models", None)
        rows = data.get("data") if isinstance(data, dict) else None
        return [str(row["id"]) for row in rows or [] if isinstance(row, dict) and "id" in row]

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def body(self, prompt: Prompt, image_url: str) -> JSON:
        """The request for one picture, as the endpoint will parse it."""
        data: JSON = orjson.loads(self._template(prompt).with_url(image_url.encode()))
        return data

    def _template(self, prompt: Prompt) -> chat.Template:
        known = self._templates.get(id(prompt))
        if known is not None and known.prompt is prompt:
            return known
        template = chat.Template(prompt, self._preset, self._model, self._parameters)
        if len(self._templates) >= 64:  # prompts with variables are all different; keep few
            self._templates.clear()
        self._templates[id(prompt)] = template
        return template

    async def _post(self, body: bytes) -> JSON:
        data = await self._request("POST", self.url, body)
        if not isinstance(data, dict):
            raise Retryable("malformed", f"{self._shown} answered {type(data).__name__}, not an object")
        return data

    def _open_session(self) -> aiohttp.ClientSession:
        if self._owner is not self:
            return self._owner._open_session()  # noqa: SLF001 - one of our own
        if self._session is None:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._key is not None:
                headers["Authorization"] = f"Bearer {self._key.reveal()}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=0),  # the slots above us are the limit
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    async def _request(self, method: str, url: str, body: bytes | None) -> Any:
        session = self._open_session()
        try:
            # No redirects: they would turn the POST into a GET, and could carry the key elsewhere.
            async with session.request(
                method, url, data=body, allow_redirects=False, proxy=self._proxy
            ) as response:
                content = await _read(response)
                status, headers = response.status, response.headers
        except TimeoutError:
            raise Retryable(
                "timeout", f"{self._shown} did not answer within {self._timeout.total:g} s"
            ) from None
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0
            reason = os.strerror(number) if number > 0 else error.os_error.strerror or str(error.os_error)
            raise Retryable("unreachable", f"cannot connect to {self._shown} ({reason})") from None
        except aiohttp.InvalidURL:
            raise EndpointUnusable(
                f"{self._shown} is not a URL; pass --endpoint http://host:port/v1"
            ) from None
        except (aiohttp.ClientError, ConnectionError) as error:
            raise Retryable(
                "connection", f"{self._shown} broke the connection ({type(error).__name__})"
            ) from None
        if status != 200:
            raise self._error(status, headers, content)
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise Retryable("malformed", f"{self._shown} sent a body that is not JSON") from None

    def _error(self, status: int, headers: Mapping[str, str], content: bytes) -> Exception:
        code, detail = _error_detail(content, self._key)
        text = f"{self._shown} answered {status}{': ' + detail if detail else ''}"
        if status == 402 or code == "insufficient_quota":
            return EndpointUnusable(
                f"{text}: the account has no credit left; add credit, then run the same command"
            )
        if status in _RETRIED or status >= 500:
            kind = "rate-limit" if status == 429 else "endpoint"
            return Retryable(kind, text, status=status, retry_after=retry_after(headers.get("Retry-After")))
        cure = {
            401: "; " + self._key_cure(),
            403: "; the key may not use this model, or its credit is spent",
            404: f"; is the model's name {self._model!r} right, and the URL (most end in /v1)?",
            413: "; lower --max-side or set --max-bytes",
        }.get(status, "")
        return Rejected("rejected", text + cure, status=status)

    def _key_cure(self) -> str:
        names = " or ".join(self._preset.key_env) or "an API key"
        state = "the key is not accepted" if self._key else "no key was sent"
        return f"{state}: set {names}, or pass --api-key"


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


def _error_detail(content: bytes, key: Secret | None) -> tuple[str, str]:
    """The code and the first line of an error body, with the key taken out should it be echoed."""
    text = content.decode("utf-8", "replace")
    code = ""
    with contextlib.suppress(orjson.JSONDecodeError):
        data = orjson.loads(content)
        error = data.get("error", data) if isinstance(data, dict) else data
        if isinstance(error, dict):
            code = str(error.get("code") or "")
            text = str(error.get("message") or error.get("detail") or error.get("title") or text)
        elif isinstance(error, str):
            text = error
    if key is not None:
        text = key.redact(text)
    return code, " ".join(text.split())[:300].rstrip(".")
