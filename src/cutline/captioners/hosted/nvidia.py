"""NVIDIA's hosted models with a dialect of their own: Kosmos-2, VILA, Llama 3.2 Vision and others.

A request holds one text with an ``<img>`` tag in it, where OpenAI's has parts. Pictures in it are
bounded; larger ones are made smaller, or uploaded. An answer may come later and is polled for.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote

import pybase64

from cutline.captioners.hosted import chat
from cutline.captioners.hosted.chat_replies import read_reply
from cutline.captioners.hosted.endpoint import Answer, Endpoint
from cutline.captioners.hosted.error_responses import RequestInfo, response_error
from cutline.captioners.hosted.nvidia_assets import Assets
from cutline.captioners.hosted.nvidia_models import HostedModel
from cutline.captioners.hosted.preset import Parameters, Preset
from cutline.credentials import Secret
from cutline.endpoint_headers import EndpointHeaders
from cutline.errors import ConfigError, RequestError, Retryable
from cutline.imaging import Encoded, Limits, Picture
from cutline.parameters import check
from cutline.prompts import Prompt
from cutline.records import JSON, Reply
from cutline.worker_threads import in_thread

MODELS_URL = "https://ai.api.nvidia.com/v1"
FUNCTIONS_URL = "https://api.nvcf.nvidia.com"
MOST_CHARACTERS = 179_999  # of a picture in base64 within a request
MOST_BYTES = MOST_CHARACTERS // 4 * 3
FORMATS = frozenset({"JPEG", "PNG"})
_LINE_BREAK = "<0x0A>"  # as DePlot's tokens spell it, between the rows of a table
_EXAMPLE_BYTES = MOST_BYTES // 2
_GONE = frozenset({404, 410})
_MARKUP = re.compile(r"<(?=\s*(?:img|video)\b)", re.IGNORECASE)  # what the service would take for a picture


class NvidiaHosted(chat.ChatCaptioner):
    """Requests ``POST {endpoint}/vlm/{model}`` and the like.

    ``endpoint`` stands for all of NVIDIA's hosts; None for their own. ``upload``: pictures above the
    limit are uploaded for the time of the request, instead of being made smaller.
    ``timeout`` in seconds bounds a request, the waiting for a later answer included.
    """

    def __init__(
        self,
        *,
        preset: Preset,
        model: HostedModel,
        endpoint: str | None,
        key: Secret | None,
        parameters: Parameters,
        limits: Limits,
        upload: bool = False,
        timeout: float = 300.0,
        own: EndpointHeaders | None = None,
    ) -> None:
        base = (endpoint or MODELS_URL).rstrip("/")
        within = min(limits.max_bytes or MOST_BYTES, MOST_BYTES)
        super().__init__(
            f"{preset.name}:{model.name}",
            Endpoint(base, key=key, timeout=timeout, own=own),
            supported=model.parameters,
            parameters=parameters,
            limits=dataclasses.replace(
                limits, formats=FORMATS, max_bytes=limits.max_bytes if upload else within
            ),
        )
        self._preset = preset
        self._model = model
        self._timeout = timeout
        self._functions = Endpoint(
            base.removesuffix("/v1") if endpoint else FUNCTIONS_URL, key=key, timeout=timeout, own=own
        )
        self.url = self.endpoint.url + model.place
        self._upload = upload
        self._assets = Assets(self._functions, lambda answer: self._refused(answer, self._functions))

    def adjusted(self, parameters: Mapping[str, Any]) -> Self:
        """The same model over the same connections, with other parameters.

        Raises:
            ConfigError: one of them is out of the model's range.
        """
        check(self.name, parameters, self._model.parameters, option="")
        return super().adjusted(parameters)

    def check_prompt(self, prompt: Prompt) -> None:
        """Refuse a worked example that a request has no room for.

        Raises:
            ConfigError: the model takes one picture only, or the example's is too large.
        """
        if not prompt.is_one_message:
            raise ConfigError(f"{self.name} takes one message: send one with one picture, or two")
        if prompt.example is None:
            return
        if self._model.pictures < 2:
            raise ConfigError(
                f"{self.name} takes one picture in a request: a worked example needs another model"
            )
        if len(prompt.example.image) > _EXAMPLE_BYTES:
            raise ConfigError(
                f"the worked example's picture has {len(prompt.example.image):,} bytes, and a request to "
                f"{self.name} has room for {_EXAMPLE_BYTES:,}: make it smaller"
            )

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        room = _room(prompt)
        encoded = self._fitting.fit(picture)
        if len(encoded.data) > room and not self._upload:
            limits = dataclasses.replace(self._fitting.limits, max_bytes=room)
            encoded = await in_thread(picture.fit, limits)
        start = time.perf_counter()
        template = self._templates.of(prompt)
        if len(encoded.data) > room:
            payload = await self._post_asset(encoded, template)
        else:
            body = template.with_picture(encoded.mime, pybase64.b64encode(encoded.data))
            payload = await self._post(body, {})
        reply = read_reply(payload, model=self._model.name, seconds=time.perf_counter() - start)
        return dataclasses.replace(reply, text=reply.text.replace(_LINE_BREAK, "\n"))

    async def aclose(self) -> None:
        await self._assets.aclose()
        await super().aclose()
        await self._functions.aclose()

    def _body(self, prompt: Prompt, mark: str) -> JSON:
        body: JSON = {"messages": [{"role": "user", "content": _content(prompt, mark)}]}
        if self._model.names_model:
            body["model"] = self._model.name
        return body | chat.sampling(self._parameters, tokens="max_tokens") | dict(self._parameters.extra)

    async def _post_asset(self, encoded: Encoded, template: chat.Template, *, again: bool = True) -> JSON:
        try:
            async with self._assets.holding(encoded) as asset:
                headers = {"NVCF-INPUT-ASSET-REFERENCES": asset, "NVCF-FUNCTION-ASSET-IDS": asset}
                body = template.with_url(f"data:{encoded.mime};asset_id,{asset}".encode())
                return await self._post(body, headers)
        except RequestError as error:
            if error.status not in _GONE or not again:
                raise
        return await self._post_asset(encoded, template, again=False)  # it expired before it was used

    async def _post(self, body: bytes | tuple[bytes, ...], headers: Mapping[str, str]) -> JSON:
        end = time.monotonic() + self._timeout
        answer = await self.endpoint.send("POST", self.url, body, headers=headers)
        if answer.status == 202:
            answer = await self._later(answer, end)
        if answer.status != 200:
            raise self._refused(answer, self.endpoint)
        data = self.endpoint.parsed(answer)
        if not isinstance(data, dict):
            raise Retryable(
                "malformed", f"{self.endpoint.shown} answered {type(data).__name__}, not an object"
            )
        return data

    async def _later(self, answer: Answer, end: float) -> Answer:
        """Poll for the answer to a request that was accepted with 202."""
        request = answer.headers.get("NVCF-REQID", "")
        if not request:
            raise Retryable("malformed", f"{self.endpoint.shown} returned 202 without NVCF-REQID")
        url = f"{self._functions.url}/v2/nvcf/pexec/status/{quote(request, safe='')}"
        pause = 0.2
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(pause, left))
            pause = min(pause * 1.5, 5.0)  # the service itself may hold a poll for a while too
            try:
                answer = await self._functions.send("GET", url)
            except Retryable:  # the work continues: a failed poll loses nothing
                continue
            if answer.status in _GONE:
                raise Retryable("endpoint", f"{self._functions.shown} no longer knows the request")
            if answer.status not in {202, 429} and answer.status < 500:
                return answer
        raise Retryable(
            "timeout", f"{self._functions.shown} still worked on the request after {self._timeout:g} s"
        )

    def _refused(self, answer: Answer, endpoint: Endpoint) -> Exception:
        info = RequestInfo(
            preset=self._preset,
            model=self._model.name,
            shown=endpoint.shown,
            has_key=endpoint.key is not None,
            secrets=endpoint.secrets,
        )
        return response_error(answer, info)


def _room(prompt: Prompt) -> int:
    """The bytes that a picture can have beside the prompt's worked example."""
    if prompt.example is None:
        return MOST_BYTES
    return (MOST_CHARACTERS - 4 * -(-len(prompt.example.image) // 3)) // 4 * 3


def _content(prompt: Prompt, mark: str) -> str:
    """The message as one text: words first and the picture last, as the service's own examples have it."""
    words = [_MARKUP.sub("&lt;", text) for text in (prompt.system, prompt.schema_instruction())]
    pictures = []
    for part in prompt.parts():
        if part.kind == "text":
            words.append(_MARKUP.sub("&lt;", part.text))
        elif part.kind == "example" and part.example is not None:
            encoded = pybase64.b64encode(part.example.image).decode()
            words.append(_tag(f"data:{part.example.mime};base64,{encoded}"))
        else:
            pictures.append(_tag(mark))
    return "\n".join(word for word in (*words, *pictures) if word)


def _tag(url: str) -> str:
    return f'<img src="{url}" />'
