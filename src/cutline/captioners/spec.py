"""A captioner's full name and options, as the user gave them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cutline import registry
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.presets import PRESETS
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.storage import is_http

SENT_OPTIONS = ("max_tokens", "temperature", "top_p", "seed", "extra")
HEADER_OPTIONS = ("header", "query")
MODEL_OPTIONS = (*SENT_OPTIONS, "parameters", "schema_dialect", "large_images", *HEADER_OPTIONS)
PICTURE_OPTIONS = ("max_side", "max_bytes", "jpeg_quality")
LOCAL_OPTIONS = ("device", "dtype", "batch_size", "quantize", "tensor_parallel", "parallel_engine")

SERVER_OPTIONS = ("start", "port", "server_args", "start_timeout", "pull")


# The services that have the models whose names begin so.
_BEGINNINGS = {
    **dict.fromkeys(("gpt-", "chatgpt-", "o1", "o3", "o4"), "openai"),
    **dict.fromkeys(("mistral", "ministral", "pixtral"), "mistral"),
    **dict.fromkeys(("bakllava", "llama3.2-vision", "minicpm-v", "moondream"), "ollama"),
    "claude": "anthropic",
    "gemini": "gemini",
    "grok": "xai",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionerOptions:
    """Options shared by every captioner of a job.

    ``options`` are those of MODEL_OPTIONS, PICTURE_OPTIONS, LOCAL_OPTIONS and SERVER_OPTIONS that the
    user gave; one that a captioner does not support is refused. Seconds for ``timeout``, ``retry_delay``
    and ``patience``, which ends the waiting when an endpoint stays busy.
    """

    key: Secret | None = None
    endpoint: str | None = None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    timeout: float = 300.0
    retries: int = 6
    retry_delay: float = 1.0
    patience: float = 900.0
    concurrency: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A captioner's full name, taken apart."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str, *, endpoint: str | None) -> Spec:
        """Parse ``provider:name``; a name alone belongs to ``--endpoint`` when that is given.

        Raises:
            ConfigError: the provider is unknown; the message suggests known ones.
        """
        provider, colon, name = text.partition(":")
        # Servers call the models that they serve by the names that ours have here.
        served = endpoint is not None and is_family(_registered(provider))
        if provider == "nvidia" and endpoint is None and (full := _nvidia_models().get(name)):
            raise ConfigError(f"NVIDIA's models are named OWNER/NAME, did you mean --model nvidia:{full}?")
        if is_provider(provider) and not served:
            if endpoint is not None and provider not in PRESETS:
                raise ConfigError(
                    f"{provider} has no endpoint: if the server at --endpoint calls its model so, write "
                    f"--model endpoint:{text}"
                )
            return cls(provider=provider, name=name)
        if endpoint is not None:
            return cls(provider="endpoint", name=name if provider == "endpoint" and colon else text)
        what = f"{provider!r} is not a provider" if colon else f"{text!r} names no provider"
        if text and (Path(text) / "config.json").is_file():
            raise ConfigError(f"{text} is a folder: for the model in it, write --model hf:{text}")
        if text and not colon and Path(text).is_dir():
            message = f"{text} is a folder, and no model is in it (config.json)"
            raise ConfigError(f"{message}: `cutline models` lists what can be named")
        if known := _known_model(text):
            raise ConfigError(f"{what}, did you mean --model {known}?")
        own = "or for a model of your own install its package or pass --plugin FILE"
        raise ConfigError(f"{what}{_instead(text, providers())}, pass --endpoint URL, {own}")

    @property
    def preset(self) -> Preset | None:
        return PRESETS.get(self.provider)


def is_provider(word: str) -> bool:
    """Whether it is one of ``providers``."""
    return (word in PRESETS and word != "endpoint") or registry.has("captioners", word)


def providers() -> list[str]:
    """Everything that can stand before the colon of a model's name."""
    return [*registry.names("captioners"), *(preset for preset in PRESETS if preset != "endpoint")]


def meant(word: str, known: Iterable[str]) -> str:
    """The providers that a misspelt one is close to, as the middle of a message."""
    return did_you_mean(word.lower(), known, most=3, cutoff=0.65)


def _instead(text: str, known: list[str]) -> str:
    """What to write instead of ``text``; models of plugins are named."""
    provider, colon, _ = text.partition(":")
    if close := meant(provider, known):
        return f"{close}; use PROVIDER:NAME (`cutline models` lists them)"
    here = [name for name in known if name not in PRESETS and name not in registry.BUILT_IN["captioners"]]
    such = f"openai:gpt-4o-mini, ollama:llava:7b{', ' if here else ' or '}blip"
    if not colon and text.count("/") == 1 and text[:1].isalnum():  # as the hub names its models
        such = f"hf:{text} to run it here, huggingface:{text} or vllm:{text}"
    return f"; use PROVIDER:NAME, such as {' or '.join((such, *here))} (`cutline models` lists all)"


def _known_model(text: str) -> str:
    """``PROVIDER:NAME`` of a model that is called otherwise elsewhere; empty for one that is not known."""
    if is_http(text):
        return f"MODEL --endpoint {text}"
    if found := _models().get(text.lower()):
        return found
    provider, slash, name = text.partition("/")
    if slash:
        return f"{provider.lower()}:{name}" if provider.lower() in PRESETS else ""
    service = next((service for start, service in _BEGINNINGS.items() if text.lower().startswith(start)), "")
    return f"{service}:{text.lower()}" if service else ""


def _models() -> dict[str, str]:
    """Models that are known by their bare name, with the provider that has them."""
    defaults = {preset.default_model: preset.name for preset in reversed(PRESETS.values())}
    nvidia = _nvidia_models()
    known = {**defaults, **dict.fromkeys(nvidia.values(), "nvidia")}
    short = {name: f"nvidia:{full}" for name, full in nvidia.items()}
    return short | {name: f"{provider}:{name}" for name, provider in known.items() if name}


def _nvidia_models() -> dict[str, str]:
    """The models of NVIDIA's own dialects by the last part of their names."""
    from cutline.captioners.hosted.nvidia_models import HOSTED

    return {name.rpartition("/")[2]: name for name in HOSTED}


def is_family(made: object) -> bool:
    """Whether what the registry has is a family of local models."""
    from cutline.captioners.transformers.family import Family

    return isinstance(made, Family)


def refuse_unknown(provider: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    """Raises ConfigError for options that ``provider`` does not support."""
    unknown = [f"--{name.replace('_', '-')}" for name in options if name not in known]
    if unknown:
        what = "it" if len(unknown) == 1 else "them"
        raise ConfigError(f"{provider} does not support {' and '.join(unknown)}; remove {what}")


def _registered(provider: str) -> object:
    return registry.load("captioners", provider) if provider in registry.BUILT_IN["captioners"] else None
