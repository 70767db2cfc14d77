"""Requests of OpenAI's chat completions.

API: https://platform.openai.com/docs/api-reference/chat/create
"""

from __future__ import annotations

import abc
import copy
import dataclasses
import secrets
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any, Self

import orjson
import pybase64

from cutline.captioners.hosted.endpoint import Endpoint
from cutline.captioners.hosted.image_fit import ImageFit
from cutline.captioners.hosted.preset import Parameters, Preset
from cutline.imaging import Limits, Picture
from cutline.interfaces import Captioner, Profile
from cutline.parameters import Parameter
from cutline.prompts import Prompt, Turn
from cutline.records import JSON

SCHEMA_SETTINGS = ("response_format", "guided_json", "structured_outputs")


class Template:
    """The request for one prompt, encoded but for the picture: putting that in copies bytes only once.

    ``make`` gives the request with a mark where the picture's URL goes.
    """

    def __init__(self, prompt: Prompt, make: Callable[[Prompt, str], JSON]) -> None:
        self.prompt = prompt
        mark = secrets.token_hex(16)  # stands for the picture; no metadata can guess it
        self._head, self._tail = orjson.dumps(make(prompt, mark)).split(mark.encode())

    def with_picture(self, mime: str, encoded: bytes) -> tuple[bytes, ...]:
        """The parts of the request as it is sent; ``encoded`` is the picture in base64."""
        return self._head + f"data:{mime};base64,".encode(), encoded, self._tail

    def with_url(self, url: bytes) -> bytes:
        """The request with an address, or anything that needs no escaping in JSON, for the picture."""
        return b"".join((self._head, url, self._tail))


class Templates:
    """The templates of the most recent prompts."""

    def __init__(self, make: Callable[[Prompt, str], JSON]) -> None:
        self._make = make
        self._known: dict[int, Template] = {}

    def of(self, prompt: Prompt) -> Template:
        known = self._known.get(id(prompt))
        if known is not None and known.prompt is prompt:
            return known
        template = Template(prompt, self._make)
        if prompt.turns:  # of one request, with its pictures
            return template
        if len(self._known) >= 64:  # prompts with variables are all different; keep few
            self._known.clear()
        self._known[id(prompt)] = template
        return template


class ChatCaptioner(Captioner):
    """What hosted captioners share; subclasses add ``_body`` and ``caption``."""

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        *,
        supported: tuple[Parameter, ...],
        parameters: Parameters,
        limits: Limits,
    ) -> None:
        self.name = name
        self.profile = Profile(parameters=supported)
        self.endpoint = endpoint
        self._parameters = parameters
        self._fitting = ImageFit(limits)
        self._templates = Templates(self._body)

    @property
    def slots(self) -> int:
        """No limit of its own: what its endpoint takes at once is found, or given, around it."""
        return sys.maxsize

    @property
    def limit_key(self) -> Hashable:
        return self.endpoint.limit_key

    def adjusted(self, parameters: Mapping[str, Any]) -> Self:
        """The same model over the same connections, with other parameters."""
        supported = {parameter.name for parameter in self.profile.parameters}
        if unknown := {name: value for name, value in parameters.items() if name not in supported}:
            super().adjusted(unknown)  # raises
        other = copy.copy(self)
        other._parameters = dataclasses.replace(self._parameters, **parameters)  # noqa: SLF001 - a copy
        other._templates = Templates(other._body)  # noqa: SLF001 - a copy
        return other

    def check_prompt(self, prompt: Prompt) -> None:
        """Every one is sent; what the model cannot take its endpoint refuses."""

    async def prepare(self, picture: Picture) -> None:
        """Read and encode the picture."""
        await self._fitting.prepare(picture)

    async def aclose(self) -> None:
        await self.endpoint.aclose()

    def body(self, prompt: Prompt, image_url: str) -> JSON:
        """The request for one picture, as the endpoint will parse it."""
        data: JSON = orjson.loads(self._templates.of(prompt).with_url(image_url.encode()))
        return data

    @abc.abstractmethod
    def _body(self, prompt: Prompt, mark: str) -> JSON:
        """The request for ``prompt``, with ``mark`` where the picture's URL goes."""


def request_body(prompt: Prompt, preset: Preset, model: str, parameters: Parameters, mark: str) -> JSON:
    """The chat completion request for ``prompt``, with ``mark`` where the picture's data URL goes."""
    messages: list[JSON] = [
        {"role": turn.role, "content": _content(turn, mark)} for turn in prompt.messages()
    ]
    system = prompt.system
    if prompt.schema is not None and not (preset.enforces_schema and preset.schema != "none"):
        system = f"{system}\n\n{prompt.schema_instruction()}".strip()
    if system:
        messages.insert(0, {"role": "system", "content": system})
    body: JSON = {"model": model, "messages": messages, "stream": False}
    body |= sampling(parameters, tokens=preset.tokens, seed=preset.seed)
    if prompt.schema is not None:
        body |= _schema_setting(preset.schema, prompt.schema)
    return body | dict(parameters.extra)


def _content(turn: Turn, mark: str) -> str | list[JSON]:
    """A message's parts; without a picture one text, as some servers take no parts then."""
    content: list[JSON] = []
    for part in turn.parts:
        if part.kind == "text":
            content.append({"type": "text", "text": part.text})
        elif part.kind == "example" and part.example is not None:
            url = f"data:{part.example.mime};base64,{pybase64.b64encode(part.example.image).decode()}"
            content.append({"type": "image_url", "image_url": {"url": url}})
        else:
            content.append({"type": "image_url", "image_url": {"url": mark}})
    if all(part["type"] == "text" for part in content):
        return "\n\n".join(part["text"] for part in content)
    return content


def sampling(parameters: Parameters, *, tokens: str, seed: str = "seed") -> JSON:
    """Those of the usual parameters that are set, by the service's names; see ``Preset``."""
    values = {
        tokens: parameters.max_tokens,
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        seed: parameters.seed,
    }
    return {name: value for name, value in values.items() if value is not None}


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
