"""A service that speaks OpenAI's chat completions, and how it differs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from cutline.parameters import COMMON, PENALTIES, STOP, Parameter

SchemaDialect: TypeAlias = Literal["response_format", "guided_json", "structured_outputs", "none"]

USUAL = (*COMMON, *PENALTIES, STOP)
"""The parameters that most services take."""

_PORTS = {"http": 80, "https": 443}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One service.

    ``endpoint_env``: the environment variables that may name another address, as the service's own client
    reads them; ``endpoint_path`` follows it. ``key_env``: those that may hold its key, in order.
    ``schema``: how it is requested to return JSON of a given schema, and ``enforces_schema`` whether that is
    known to be obeyed; elsewhere the prompt asks for it in words too. ``tokens`` and ``seed``: its names for
    the most tokens of a reply and for the seed. ``parameters``: those that its documentation names.
    ``forbids_all``: its 403 concerns the key and no single picture. ``account`` is where keys are made and
    paid for. ``without_model``: what helps where it does not have the requested model; ``start``: what starts
    the server. ``licence`` is that of the default model.
    """

    name: str
    endpoint: str
    endpoint_env: tuple[str, ...] = ()
    endpoint_path: str = ""
    key_env: tuple[str, ...] = ()
    default_model: str = ""
    schema: SchemaDialect = "response_format"
    enforces_schema: bool = False
    tokens: str = "max_tokens"
    seed: str = "seed"
    parameters: tuple[Parameter, ...] = USUAL
    forbids_all: bool = False
    account: str = ""
    without_model: str = ""
    start: str = ""
    licence: str = ""
    about: str = ""

    @property
    def key_needed(self) -> bool:
        return bool(self.account)

    @property
    def address(self) -> str:
        """Its endpoint: the environment's, or the default one."""
        named = (os.environ.get(name, "").strip() for name in self.endpoint_env)
        given = next(filter(None, named), "")
        if not given:
            return self.endpoint
        return _ollama_address(given) if self.name == "ollama" else given.rstrip("/") + self.endpoint_path

    @property
    def is_moved(self) -> bool:
        """Whether the environment names another address than the service's own."""
        return bool(self.endpoint) and self.address != self.endpoint

    @property
    def is_here(self) -> bool:
        """Whether its default endpoint is on this machine."""
        return urlsplit(self.endpoint).hostname == "localhost"


def _ollama_address(host: str) -> str:
    """``OLLAMA_HOST`` as Ollama reads it: host, port, both or a URL. The server's wildcard is this machine.

    https://docs.ollama.com/faq
    """
    parts = urlsplit(host if "://" in host else f"http://{host}")
    name = parts.hostname or "localhost"
    if name in {"0.0.0.0", "::"}:  # noqa: S104 - what the server listens on
        name = "localhost"
    port = parts.port or (_PORTS.get(parts.scheme) if "://" in host else None) or 11434
    place = f"[{name}]" if ":" in name else name
    return f"{parts.scheme}://{place}:{port}{parts.path.rstrip('/')}/v1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """How the model is to answer; None leaves it to the endpoint."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    extra: Mapping[str, Any] = dataclasses.field(default_factory=dict)
