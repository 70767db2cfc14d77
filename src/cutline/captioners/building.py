"""From ``provider:name`` to a captioner that is ready to be asked."""

from __future__ import annotations

import dataclasses
import difflib
import os
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from cutline import registry
from cutline.captioners.concurrency import Concurrency, Limited
from cutline.captioners.presets import PRESETS, Parameters, Preset, SchemaDialect
from cutline.captioners.retrying import Retrying
from cutline.captioners.secrets import Secret
from cutline.errors import ConfigError
from cutline.imaging import Limits
from cutline.interfaces import Captioner, Slotted

if TYPE_CHECKING:
    from cutline.captioners.openai import OpenAIChat

DEFAULT_CEILING = 512


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask; shared by every captioner of a job.

    Seconds for ``timeout``, ``retry_delay`` and ``patience``, which ends the waiting when an
    endpoint keeps saying that it is busy.
    """

    key: Secret | None = None
    endpoint: str | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)
    timeout: float = 300.0
    retries: int = 6
    retry_delay: float = 1.0
    patience: float = 900.0
    concurrency: int | None = None
    schema_dialect: SchemaDialect | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A captioner's full name, taken apart."""

    provider: str
    name: str

    @classmethod
    def parse(cls, text: str, *, endpoint: str | None) -> Spec:
        """``provider:name``; a name alone goes to ``--endpoint`` when that is given.

        Raises:
            ConfigError: the provider is unknown; the message lists the known ones.
        """
        provider, colon, name = text.partition(":")
        known = [*registry.names("captioners"), *(preset for preset in PRESETS if preset != "endpoint")]
        if provider in known:
            if endpoint is not None and provider not in PRESETS:
                raise ConfigError(
                    f"{provider} asks no endpoint: name the model at --endpoint with --model NAME"
                )
            return cls(provider=provider, name=name)
        if endpoint is not None:
            return cls(provider="endpoint", name=name if provider == "endpoint" and colon else text)
        what = f"{provider!r} is not a provider" if colon else f"{text!r} names no provider"
        close = difflib.get_close_matches(provider, known, n=1)
        meant = f", did you mean {close[0]}?" if close else ""
        choice = f"use PROVIDER:NAME with one of {', '.join(known)}, or pass --endpoint URL"
        raise ConfigError(f"{what}{meant}; {choice}")

    @property
    def preset(self) -> Preset | None:
        return PRESETS.get(self.provider)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False


def find_key(preset: Preset) -> Secret | None:
    """The service's key from the environment."""
    for name in preset.key_env:
        if value := os.environ.get(name, "").strip():
            return Secret(value)
    return None


def build_captioner(text: str, asking: Asking, parameters: Parameters | None = None) -> Captioner:
    """The captioner of that name, with retries, slots and a time limit around it.

    Raises:
        ConfigError: unknown name, missing key or missing model name; names the cure.
        MissingExtra: it needs an extra.
    """
    spec = Spec.parse(text, endpoint=asking.endpoint)
    if spec.preset is None:
        captioner = _build_registered(spec)
        slots = captioner.slots if isinstance(captioner, Slotted) else 1
        concurrency = Concurrency(ceiling=min(asking.concurrency or slots, slots), adaptive=False)
    else:
        captioner = build_endpoint(spec, spec.preset, asking, parameters)
        fixed = asking.concurrency is not None
        ceiling = asking.concurrency or DEFAULT_CEILING
        concurrency = Concurrency(ceiling=ceiling, adaptive=not fixed, timeout=asking.timeout)
    limited = Limited(captioner, concurrency, timeout=asking.timeout)
    return Retrying(limited, retries=asking.retries, delay=asking.retry_delay, patience=asking.patience)


def _build_registered(spec: Spec) -> Captioner:
    made = registry.load("captioners", spec.provider)
    captioner = made(spec.name) if spec.name else made()
    if not isinstance(captioner, Captioner):
        raise ConfigError(f"{spec.provider} is no captioner: it needs name, caption() and aclose()")
    return captioner


def build_endpoint(
    spec: Spec, preset: Preset, asking: Asking, parameters: Parameters | None = None
) -> OpenAIChat:
    """The endpoint itself, with nothing around it; raises as ``build_captioner``."""
    from cutline.captioners.openai import OpenAIChat

    endpoint = preset.endpoint if asking.endpoint is None else asking.endpoint
    if not _is_url(endpoint):
        raise ConfigError(f"{endpoint!r} is not a URL; pass --endpoint http://host:port/v1")
    model = spec.name or preset.default_model
    if not model:
        raise ConfigError(f"{spec.provider} needs a model name: --model {spec.provider}:NAME")
    key = asking.key or find_key(preset)
    if key is None and preset.key_needed and asking.endpoint is None:
        raise ConfigError(
            f"{spec.provider} needs a key: set {' or '.join(preset.key_env)}, or pass --api-key"
        )
    if key is not None and "@" in urlsplit(endpoint).netloc:
        raise ConfigError("the endpoint's URL holds a password and there is a key too: only one can be sent")
    if asking.schema_dialect is not None:
        preset = dataclasses.replace(preset, schema=asking.schema_dialect)
    return OpenAIChat(
        preset=preset,
        model=model,
        endpoint=endpoint,
        key=key,
        parameters=parameters or Parameters(),
        limits=asking.limits,
        timeout=asking.timeout,
    )
