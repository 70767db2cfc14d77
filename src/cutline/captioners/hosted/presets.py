"""Hosted and self-hosted services that speak OpenAI's chat completions, and how each differs."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from cutline.parameters import COMMON, PENALTIES, STOP, Parameter

SchemaDialect: TypeAlias = Literal["response_format", "guided_json", "structured_outputs", "none"]

_PORTS = {"http": 80, "https": 443}
_USUAL = (*COMMON, *PENALTIES, STOP)
_MIN_P = Parameter(name="min_p", least=0, most=1)
_REPETITION = Parameter(name="repetition_penalty", above=0, most=2)


def _effort(*words: str) -> Parameter:
    return Parameter(name="reasoning_effort", kind=str, words=words)


def _sampling(least_top_k: int, penalty: Parameter, *more: Parameter) -> tuple[Parameter, ...]:
    return (*_USUAL, Parameter(name="top_k", kind=int, least=least_top_k), _MIN_P, penalty, *more)


_LENGTH = (
    Parameter(name="min_tokens", kind=int, least=0),
    Parameter(name="skip_special_tokens", kind=bool),
)
_VLLM = _sampling(-1, Parameter(name="repetition_penalty", above=0), *_LENGTH)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One service.

    ``endpoint_env``: the environment variables that may name another address, as the service's own client
    reads them; ``endpoint_path`` follows it. ``key_env``: those that may hold its key, in order.
    ``schema``: how it is requested to return JSON of a given schema, and ``enforces_schema`` whether that is
    known to be obeyed; elsewhere the prompt asks for it in words too. ``tokens``: its name for the most
    tokens of a reply. ``parameters``: those that its documentation names. ``forbids_all``: its 403 concerns
    the key and no single picture. ``account`` is where keys are made and paid for. ``without_model``: what
    helps where it does not have the requested model; ``start``: what starts the server. ``licence`` is that
    of the default model.
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
    parameters: tuple[Parameter, ...] = _USUAL
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


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            name="nim",
            endpoint="http://localhost:8000/v1",
            default_model="nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            schema="guided_json",
            enforces_schema=True,
            licence="NVIDIA Open Model",
            about="NVIDIA NIM container on this machine",
        ),
        Preset(
            name="nvidia",
            endpoint="https://integrate.api.nvidia.com/v1",
            key_env=("NVIDIA_API_KEY",),
            default_model="nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            schema="guided_json",
            enforces_schema=True,
            forbids_all=True,
            account="https://build.nvidia.com",
            licence="NVIDIA Open Model",
            without_model="NVIDIA says so too of what an account may not use; your own NIM is nim:NAME.",
            about="NVIDIA's hosted models",
        ),
        Preset(
            name="openai",
            endpoint="https://api.openai.com/v1",
            endpoint_env=("OPENAI_BASE_URL", "OPENAI_API_BASE"),
            key_env=("OPENAI_API_KEY",),
            default_model="gpt-4o-mini",
            enforces_schema=True,
            tokens="max_completion_tokens",
            parameters=(
                *_USUAL,
                _effort("none", "minimal", "low", "medium", "high", "xhigh"),
                Parameter(name="verbosity", kind=str, words=("low", "medium", "high")),
                Parameter(name="service_tier", kind=str, words=("auto", "default", "flex", "priority")),
            ),
            account="https://platform.openai.com",
            licence="hosted only",
            about="OpenAI",
        ),
        Preset(
            name="azure",
            endpoint="",
            endpoint_env=("AZURE_OPENAI_ENDPOINT",),
            endpoint_path="/openai/v1",
            key_env=("AZURE_OPENAI_API_KEY",),
            enforces_schema=True,
            tokens="max_completion_tokens",
            parameters=(*_USUAL, _effort("none", "minimal", "low", "medium", "high", "xhigh")),
            account="https://portal.azure.com",
            licence="hosted only",
            about="deployments at Azure; AZURE_OPENAI_ENDPOINT names the resource",
        ),
        Preset(
            name="gemini",
            endpoint="https://generativelanguage.googleapis.com/v1beta/openai",
            key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            default_model="gemini-2.5-flash",
            enforces_schema=True,
            parameters=(*_USUAL, _effort("none", "minimal", "low", "medium", "high")),
            account="https://aistudio.google.com",
            licence="hosted only",
            about="Google Gemini",
        ),
        Preset(
            name="ollama",
            endpoint="http://localhost:11434/v1",
            endpoint_env=("OLLAMA_HOST",),
            default_model="llava:7b",
            without_model="Ollama has what was pulled: ollama pull {model}, or add --pull",
            parameters=(*_USUAL, _effort("none", "low", "medium", "high")),
            start="ollama serve",
            licence="Llama 2 Community",
            about="Ollama on this machine",
        ),
        Preset(
            name="vllm",
            endpoint="http://localhost:8000/v1",
            key_env=("VLLM_API_KEY",),
            schema="structured_outputs",
            enforces_schema=True,
            parameters=_VLLM,
            start="vllm serve MODEL",
            about="a vLLM server",
        ),
        Preset(
            name="sglang",
            endpoint="http://localhost:30000/v1",
            key_env=("SGLANG_API_KEY",),
            enforces_schema=True,
            parameters=_sampling(-1, _REPETITION, *_LENGTH),
            start="sglang serve --model-path MODEL",
            about="an SGLang server",
        ),
        Preset(
            name="llamacpp",
            endpoint="http://localhost:8080/v1",
            key_env=("LLAMA_API_KEY",),
            enforces_schema=True,
            parameters=_sampling(0, Parameter(name="repeat_penalty", above=0)),
            start="llama-server -hf MODEL",
            about="llama.cpp's llama-server",
        ),
        Preset(
            name="transformers-serve",
            endpoint="http://localhost:8000/v1",
            schema="none",
            parameters=(*COMMON, PENALTIES[0], STOP),
            start="transformers serve MODEL",
            about="the server of transformers",
        ),
        Preset(
            name="huggingface",
            endpoint="https://router.huggingface.co/v1",
            key_env=("HF_TOKEN",),
            default_model="google/gemma-3-12b-it",
            account="https://huggingface.co/settings/tokens",
            licence="Gemma",
            without_model="A provider of it must be switched on at https://huggingface.co/settings/inference-providers",
            about="Hugging Face inference providers",
        ),
        Preset(
            name="openrouter",
            endpoint="https://openrouter.ai/api/v1",
            key_env=("OPENROUTER_API_KEY",),
            parameters=(
                *_USUAL,
                Parameter(name="top_k", kind=int, least=0),
                _MIN_P,
                Parameter(name="top_a", least=0, most=1),
                _REPETITION,
                _effort("none", "minimal", "low", "medium", "high", "xhigh"),
            ),
            account="https://openrouter.ai/settings",
            about="OpenRouter",
        ),
        Preset(
            name="together",
            endpoint="https://api.together.xyz/v1",
            key_env=("TOGETHER_API_KEY",),
            parameters=_sampling(-1, _REPETITION),
            account="https://api.together.ai",
            about="Together AI",
        ),
        Preset(
            name="endpoint",
            endpoint="",
            key_env=("CUTLINE_API_KEY",),  # never a known service's key: anyone may be behind the URL
            parameters=_VLLM,
            about="any other compatible server: --endpoint URL",
        ),
    )
}
