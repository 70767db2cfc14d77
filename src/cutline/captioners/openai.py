"""Any endpoint that speaks OpenAI's chat completions.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import time
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
import pybase64

from cutline.backoff import retry_after
from cutline.captioners.presets import Parameters, Preset
from cutline.captioners.secrets import Secret, without_credentials
from cutline.errors import EndpointUnusable, Rejected, ReplyError, Retryable
from cutline.imaging import Limits, Picture
from cutline.prompts import Prompt
from cutline.records import JSON, Reply, Usage

MAX_RESPONSE_BYTES = 8_000_000
_RETRIED = frozenset({408, 409, 425, 429})
# Stands for the picture in a request body until the bytes are put in; no metadata can guess it.
_MARK = secrets.token_hex(16)


@dataclasses.dataclass(frozen=True, slots=True)
class _Template:
    """A request body with a hole where the picture goes; kept per prompt."""

    prompt: Prompt
    head: bytes
    tail: bytes


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
        self._templates: dict[int, _Template] = {}

    async def prepare(self, picture: Picture) -> None:
        await asyncio.to_thread(picture.fit, self._limits)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        encoded = picture.fit(self._limits)
        template = self._template(prompt)
        body = b"".join(
            (
                template.head,
                f"data:{encoded.mime};base64,".encode(),
                pybase64.b64encode(encoded.data),
                template.tail,
            )
        )
        start = time.perf_counter()
        payload = await self._post(body)
        return read_reply(payload, model=self._model, seconds=time.perf_counter() - start)

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
        template = self._template(prompt)
        data: JSON = orjson.loads(template.head + image_url.encode() + template.tail)
        return data

    def _template(self, prompt: Prompt) -> _Template:
        known = self._templates.get(id(prompt))
        if known is not None and known.prompt is prompt:
            return known
        body = request_body(prompt, self._preset, self._model, self._parameters)
        head, tail = orjson.dumps(body).split(_MARK.encode())
        template = _Template(prompt, head, tail)
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
        if self._session is None:
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            if self._key is not None:
                headers["Authorization"] = f"Bearer {self._key.reveal()}"
            self._session = aiohttp.ClientSession(
                headers=headers,
                timeout=self._timeout,
                connector=aiohttp.TCPConnector(limit=0),  # the slots above us are the limit
                auto_decompress=True,
                trust_env=True,
            )
        return self._session

    async def _request(self, method: str, url: str, body: bytes | None) -> Any:
        session = self._open_session()
        try:
            # No redirects: they would turn the POST into a GET, and could carry the key elsewhere.
            async with session.request(method, url, data=body, allow_redirects=False) as response:
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


def request_body(prompt: Prompt, preset: Preset, model: str, parameters: Parameters) -> JSON:
    """The chat completion request for ``prompt``, with a mark where the picture's data URL goes."""
    content: list[JSON] = []
    for part in prompt.parts():
        if part.kind == "text":
            content.append({"type": "text", "text": part.text})
        elif part.kind == "example" and part.example is not None:
            url = f"data:{part.example.mime};base64,{pybase64.b64encode(part.example.image).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        else:
            content.append({"type": "image_url", "image_url": {"url": _MARK}})
    messages: list[JSON] = [{"role": "user", "content": content}]
    system = prompt.system
    if prompt.schema is not None and not (preset.enforces_schema and preset.schema != "none"):
        system = f"{system}\n\n{prompt.schema_instruction()}".strip()
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: JSON = {"model": model, "messages": messages}
    values = {
        preset.tokens: parameters.max_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "seed": parameters.seed,
    }
    body |= {name: value for name, value in values.items() if value is not None}
    if prompt.schema is not None:
        body |= _schema_setting(preset.schema, prompt.schema)
    return body | dict(parameters.extra)


def _schema_setting(dialect: str, schema: JSON) -> JSON:
    """One setting of ours in each server's words."""
    settings: dict[str, JSON] = {
        "response_format": {
            "response_format": {"type": "json_schema", "json_schema": {"name": "caption", "schema": schema}}
        },
        "guided_json": {"guided_json": schema},
        "structured_outputs": {"structured_outputs": {"json": schema}},
        "none": {},
    }
    return settings[dialect]


def read_reply(payload: JSON, *, model: str, seconds: float) -> Reply:
    """The reply within a chat completion.

    Raises:
        ReplyError: there is an answer, but no caption in it (``refused``, ``truncated``, …).
        Retryable: the body is not a chat completion.
    """
    try:
        choice = payload["choices"][0]
        message = choice["message"]
        content = message.get("content")
        usage = _usage(payload.get("usage") or {})
        finish = choice.get("finish_reason")
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        raise Retryable("malformed", "the endpoint's answer is not a chat completion") from None
    if isinstance(content, list):
        content = "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    text = content if isinstance(content, str) else ""
    problem = _reply_problem(message, text, finish)
    if problem is not None:
        problem.usage = usage
        raise problem
    return Reply(
        text=text,
        model=str(payload.get("model") or model),
        usage=usage,
        finish_reason=finish if isinstance(finish, str) else None,
        seconds=seconds,
        raw=payload,
    )


def _reply_problem(message: JSON, text: str, finish: object) -> ReplyError | None:
    """Why the answer is no caption, if it is none."""
    if message.get("refusal"):
        return ReplyError("refused", f"the model refused: {str(message['refusal'])[:200]}")
    stopped = {
        "content_filter": ReplyError("refused", "the endpoint's content filter stopped the answer"),
        "length": ReplyError("truncated", "the answer was cut at the token limit; raise --max-tokens"),
    }
    if finish in stopped:
        return stopped[str(finish)]
    return None if text.strip() else _no_text(message)


def _no_text(message: JSON) -> ReplyError:
    if message.get("tool_calls"):
        return ReplyError("tool-call", "the model answered with a tool call instead of text")
    if message.get("reasoning_content") or message.get("reasoning"):
        return ReplyError("empty", "the model only reasoned and gave no answer; raise --max-tokens")
    return ReplyError("empty", "the model's answer is empty")


def _usage(data: Mapping[str, Any]) -> Usage:
    return Usage(
        prompt_tokens=int(data.get("prompt_tokens") or 0),
        completion_tokens=int(data.get("completion_tokens") or 0),
    )


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
    return code, " ".join(text.split())[:300]
