"""Hosted and self-hosted services that speak OpenAI's chat completions, and how each differs."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

SchemaDialect: TypeAlias = Literal["response_format", "guided_json", "structured_outputs", "none"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """One service.

    ``key_env``: the environment variables that may hold its key, in order. ``schema``: how it is
    asked for JSON of a given schema, and ``enforces_schema`` whether that is known to be obeyed;
    elsewhere the prompt asks for it in words too. ``tokens``: its name for the most tokens of a reply.
    """

    name: str
    endpoint: str
    key_env: tuple[str, ...] = ()
    key_needed: bool = False
    default_model: str = ""
    schema: SchemaDialect = "response_format"
    enforces_schema: bool = False
    tokens: str = "max_tokens"
    about: str = ""


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
            about="NVIDIA NIM container on this machine",
        ),
        Preset(
            name="nvidia",
            endpoint="https://integrate.api.nvidia.com/v1",
            key_env=("NVIDIA_API_KEY",),
            key_needed=True,
            default_model="nvidia/llama-3.1-nemotron-nano-vl-8b-v1",
            schema="guided_json",
            enforces_schema=True,
            about="NVIDIA's hosted models",
        ),
        Preset(
            name="openai",
            endpoint="https://api.openai.com/v1",
            key_env=("OPENAI_API_KEY",),
            key_needed=True,
            default_model="gpt-4o-mini",
            enforces_schema=True,
            tokens="max_completion_tokens",
            about="OpenAI",
        ),
        Preset(
            name="gemini",
            endpoint="https://generativelanguage.googleapis.com/v1beta/openai",
            key_env=("GEMINI_API_KEY", "GOOGLE_API_KEY"),
            key_needed=True,
            default_model="gemini-2.5-flash",
            enforces_schema=True,
            about="Google Gemini",
        ),
        Preset(
            name="ollama",
            endpoint="http://localhost:11434/v1",
            default_model="llava:7b",
            about="Ollama on this machine",
        ),
        Preset(
            name="vllm",
            endpoint="http://localhost:8000/v1",
            key_env=("VLLM_API_KEY",),
            schema="structured_outputs",
            enforces_schema=True,
            about="a vLLM server",
        ),
        Preset(
            name="huggingface",
            endpoint="https://router.huggingface.co/v1",
            key_env=("HF_TOKEN",),
            key_needed=True,
            default_model="google/gemma-3-12b-it",
            about="Hugging Face inference providers",
        ),
        Preset(
            name="openrouter",
            endpoint="https://openrouter.ai/api/v1",
            key_env=("OPENROUTER_API_KEY",),
            key_needed=True,
            about="OpenRouter",
        ),
        Preset(
            name="together",
            endpoint="https://api.together.xyz/v1",
            key_env=("TOGETHER_API_KEY",),
            key_needed=True,
            about="Together AI",
        ),
        Preset(
            name="endpoint",
            endpoint="",
            key_env=("CUTLINE_API_KEY",),  # never a known service's key: anyone may be behind the URL
            about="any other compatible server: --endpoint URL",
        ),
    )
}
