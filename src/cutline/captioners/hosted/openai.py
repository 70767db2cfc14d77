"""Any endpoint that speaks OpenAI's chat completions.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import dataclasses
import math
import re
import time
from typing import Any

import orjson
import pybase64

from cutline.captioners.hosted import chat
from cutline.captioners.hosted.chat_replies import error_within, read_reply
from cutline.captioners.hosted.endpoint import Answer, Endpoint
from cutline.captioners.hosted.error_responses import RequestInfo, response_error
from cutline.captioners.hosted.event_stream import is_stream, whole_completion
from cutline.captioners.hosted.preset import Parameters, Preset
from cutline.credentials import Secret
from cutline.endpoint_headers import EndpointHeaders
from cutline.errors import Retryable
from cutline.imaging import Limits, Picture
from cutline.prompts import Prompt
from cutline.records import JSON, Reply

TOKENS = ("max_tokens", "max_completion_tokens")


def _base(url: str) -> str:
    """The address without the path of chat completions, and with its query."""
    place, mark, query = url.partition("?")
    return place.rstrip("/").removesuffix("/chat/completions") + mark + query


class OpenAIChat(chat.ChatCaptioner):
    """Requests ``POST {endpoint}/chat/completions``, with the picture as a data URL.

    ``timeout`` is in seconds, for one request; ``is_limited``: the caller limits the time of ``caption``.
    ``url`` is the address of requests, over ``endpoint``.
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
        own: EndpointHeaders | None = None,
        is_limited: bool = False,
    ) -> None:
        super().__init__(
            f"{preset.name}:{model}",
            Endpoint(_base(endpoint), key=key, timeout=timeout, own=own),
            supported=preset.parameters,
            parameters=parameters,
            limits=limits,
        )
        self._longer = math.inf if is_limited else 0.0
        self._preset = preset
        self._renamed = False
        self._model = model
        self.url = self.endpoint.url + "/chat/completions"
        self._has_key = key is not None or (own is not None and own.holds_key)

    @property
    def request_info(self) -> RequestInfo:
        """What error messages name."""
        sent = chat.sampling(self._parameters, tokens=self._preset.tokens, seed=self._preset.seed)
        return RequestInfo(
            preset=self._preset,
            model=self._model,
            shown=self.endpoint.shown,
            has_key=self._has_key,
            secrets=self.endpoint.secrets,
            parameters=frozenset((*sent, *self._parameters.extra, *chat.SCHEMA_SETTINGS)),
        )

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        start = time.perf_counter()
        tokens = self._preset.tokens
        answer = await self._post(self._request_parts(picture, prompt))
        if answer.status in {400, 422} and self._takes_other_name(tokens, answer):
            answer = await self._post(self._request_parts(picture, prompt))
        return self.reply_in(answer, seconds=time.perf_counter() - start)

    async def _post(self, body: tuple[bytes, ...]) -> Answer:
        return await self.endpoint.send("POST", self.url, body, longer=self._longer)

    def request_of(self, picture: Picture, prompt: Prompt) -> bytes:
        """The body of the request for one picture; raises PictureError where it cannot be prepared."""
        return b"".join(self._request_parts(picture, prompt))

    def _request_parts(self, picture: Picture, prompt: Prompt) -> tuple[bytes, ...]:
        encoded = self._fitting.fit(picture)
        return self._templates.of(prompt).with_picture(encoded.mime, pybase64.b64encode(encoded.data))

    def reply_in(self, answer: Answer, *, seconds: float = 0.0) -> Reply:
        """The reply within an answer, however that came; raises as ``caption``."""
        data = self._payload(self._accepted(answer))
        if not isinstance(data, dict):
            shown = self.endpoint.shown
            raise Retryable("malformed", f"{shown} answered {type(data).__name__}, not an object")
        refused = error_within(answer, data)
        if refused is not None:
            raise response_error(refused, self.request_info)
        return read_reply(data, model=self._model, seconds=seconds)

    def _payload(self, answer: Answer) -> Any:
        if not is_stream(answer.headers.get("Content-Type", ""), answer.content):
            return self.endpoint.parsed(answer)
        try:
            return whole_completion(self.endpoint.stored(answer))
        except ValueError as error:
            message = f"{self.endpoint.shown} sent a stream that cannot be read ({error})"
            raise Retryable("malformed", message) from None

    async def models(self) -> list[str]:
        """The names that ``GET {endpoint}/models`` lists; empty where it lists none."""
        answer = await self.endpoint.send("GET", self.endpoint.url + "/models")
        data = self.endpoint.parsed(self._accepted(answer))
        rows = data.get("data") if isinstance(data, dict) else None
        return [str(row["id"]) for row in rows or [] if isinstance(row, dict) and "id" in row]

    async def answers_words(self) -> bool:
        """Whether the model answers a question without a picture: then it was the picture that it refused."""
        body = self._body(Prompt(prefix="Say yes."), "")
        question = body["messages"][-1]
        question["content"] = [part for part in question["content"] if part["type"] == "text"]
        answer = await self.endpoint.send("POST", self.url, orjson.dumps(body))
        return answer.status == 200 and error_within(answer, self.endpoint.parsed(answer)) is None

    def _takes_other_name(self, sent: str, answer: Answer) -> bool:
        """Whether the request is worth sending with the other name for the most tokens of a reply.

        Newer models of OpenAI know ``max_completion_tokens`` only, most servers ``max_tokens`` only. Requests
        that were under way when the name was changed are repeated as well.
        """
        other = next(name for name in TOKENS if name != sent)
        named = re.search(rf"\b{other}\b", answer.content.decode("utf-8", "replace"))
        if self._parameters.max_tokens is None or not named:
            return False
        if self._preset.tokens == sent and not self._renamed:
            self._renamed = True
            self._preset = dataclasses.replace(self._preset, tokens=other)
            self._templates = chat.Templates(self._body)
        return self._preset.tokens != sent

    def _body(self, prompt: Prompt, mark: str) -> JSON:
        return chat.request_body(prompt, self._preset, self._model, self._parameters, mark)

    def _accepted(self, answer: Answer) -> Answer:
        if answer.status not in {200, 201}:
            raise response_error(answer, self.request_info)
        return answer
