"""From ``provider:name`` to a captioner that is ready to be asked."""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cutline import registry
from cutline.captioners.concurrency import Concurrency, Limited
from cutline.captioners.presets import PRESETS, Parameters, Preset
from cutline.captioners.retrying import Retrying
from cutline.captioners.secrets import Secret
from cutline.captioners.transformers.families import Family
from cutline.errors import ConfigError
from cutline.imaging import Limits
from cutline.interfaces import Captioner, Slotted
from cutline.prompts import Prompt

if TYPE_CHECKING:
    from cutline.captioners.openai import OpenAIChat

DEFAULT_CEILING = 512
DEFAULT_MAX_TOKENS = 512
MODEL_OPTIONS = ("max_tokens", "temperature", "top_p", "seed", "extra", "schema_dialect")
_LIMITS = {"max_side": "max_side", "max_bytes": "max_bytes", "jpeg_quality": "quality"}
PICTURE_OPTIONS = tuple(_LIMITS)
LOCAL_OPTIONS = ("device", "dtype", "batch_size", "quantize", "tensor_parallel", "parallel_engine")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """How to ask; shared by every captioner of a job.

    ``options`` are those of MODEL_OPTIONS, PICTURE_OPTIONS and LOCAL_OPTIONS that the user gave: what
    a captioner cannot honour is refused, so that nothing is accepted and ignored.
    Seconds for ``timeout``, ``retry_delay`` and ``patience``, which ends the waiting when an
    endpoint keeps saying that it is busy.
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
        """``provider:name``; a name alone goes to ``--endpoint`` when that is given.

        Raises:
            ConfigError: the provider is unknown; the message lists the known ones.
        """
        provider, colon, name = text.partition(":")
        known = [*registry.names("captioners"), *(preset for preset in PRESETS if preset != "endpoint")]
        # Servers call the models that they serve by the names that ours have here.
        served = endpoint is not None and isinstance(_registered(provider), Family)
        if provider in known and not served:
            if endpoint is not None and provider not in PRESETS:
                raise ConfigError(
                    f"{provider} asks no endpoint: name the model at --endpoint with --model NAME"
                )
            return cls(provider=provider, name=name)
        if endpoint is not None:
            return cls(provider="endpoint", name=name if provider == "endpoint" and colon else text)
        what = f"{provider!r} is not a provider" if colon else f"{text!r} names no provider"
        if text and (Path(text) / "config.json").is_file():
            raise ConfigError(f"{text} is a folder: for the model in it, write --model hf:{text}")
        close = difflib.get_close_matches(provider, known, n=1)
        meant = f", did you mean {close[0]}?" if close else ""
        choice = f"use PROVIDER:NAME with one of {', '.join(known)}, or pass --endpoint URL"
        raise ConfigError(f"{what}{meant}; {choice}")

    @property
    def preset(self) -> Preset | None:
        return PRESETS.get(self.provider)


def _registered(provider: str) -> object:
    return registry.load("captioners", provider) if provider in registry.BUILT_IN["captioners"] else None


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


def build_captioner(text: str, asking: Asking) -> Captioner:
    """The captioner of that name, with retries, slots and a time limit around it.

    Raises:
        ConfigError: unknown name, missing key or missing model name, or an option that this
            captioner cannot honour; names the cure.
        MissingExtra: it needs an extra.
    """
    spec = Spec.parse(text, endpoint=asking.endpoint)
    if spec.preset is None:
        captioner = _build_registered(spec, asking)
        slots = captioner.slots if isinstance(captioner, Slotted) else 1
        concurrency = Concurrency(ceiling=min(asking.concurrency or slots, slots), adaptive=False)
    else:
        captioner = build_endpoint(spec, spec.preset, asking)
        fixed = asking.concurrency is not None
        ceiling = asking.concurrency or DEFAULT_CEILING
        concurrency = Concurrency(ceiling=ceiling, adaptive=not fixed, timeout=asking.timeout)
    # A model in this process counts its own time: a call may wait long for its batch.
    limited = Limited(captioner, concurrency, timeout=None if _keeps_time(captioner) else asking.timeout)
    return Retrying(limited, retries=asking.retries, delay=asking.retry_delay, patience=asking.patience)


def options_of(text: str, *, endpoint: str | None) -> frozenset[str]:
    """Those of MODEL_OPTIONS and PICTURE_OPTIONS that the captioner of that name has a use for.

    Raises:
        ConfigError: as ``Spec.parse``.
        MissingExtra: it needs an extra.
    """
    spec = Spec.parse(text, endpoint=endpoint)
    if spec.preset is not None:
        return frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS, *LOCAL_OPTIONS))
    known = _keywords(registry.load("captioners", spec.provider))
    if "build" in known:
        return frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS, *LOCAL_OPTIONS))
    return known


def _build_registered(spec: Spec, asking: Asking) -> Captioner:
    """A captioner of the registry; its keyword parameters say which options it honours."""
    made = registry.load("captioners", spec.provider)
    if asking.key is not None:
        raise ConfigError(f"{spec.provider} needs no key: leave --api-key out")
    known = _keywords(made)
    given: dict[str, Any] = {name: value for name, value in asking.options.items() if name in known}
    builder = _Builder(asking)
    if "build" in known:  # it asks another captioner, which itself says what it has a use for
        given["build"] = builder
    else:
        _refuse_unknown(spec.provider, asking.options, known)
    if "timeout" in known:
        given["timeout"] = asking.timeout
    captioner = made(*([spec.name] if spec.name else []), **given)
    if not isinstance(captioner, Captioner):
        raise ConfigError(f"{spec.provider} is no captioner: it needs name, caption() and aclose()")
    if not builder.used:
        _refuse_unknown(captioner.name, asking.options, known)
    return captioner


class _Builder:
    """Builds a captioner for another one; what fails for a passing reason is repeated as a whole."""

    def __init__(self, asking: Asking) -> None:
        self._asking = dataclasses.replace(asking, retries=0)
        self.used = False

    def __call__(self, text: str) -> Captioner:
        self.used = True
        return build_captioner(text, self._asking)


def _keywords(made: Callable[..., object]) -> frozenset[str]:
    """The options that a captioner's class or function takes by keyword; ``**options`` takes all."""
    parameters = inspect.signature(made).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS))
    return frozenset(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


def check_prompt(captioner: Captioner, prompt: Prompt, *, language: str | None) -> None:
    """Refuse what a captioner that follows no instructions would take for words of the caption.

    Raises:
        ConfigError: names what it can be asked instead.
    """
    if language and not getattr(captioner, "instructable", True):
        raise ConfigError(f"{captioner.name} follows no instructions: --language needs a model that does")
    check = getattr(captioner, "check_prompt", None)
    if check is not None:
        check(prompt)


def _keeps_time(captioner: Captioner) -> bool:
    return bool(getattr(captioner, "keeps_time", False))


def _refuse_unknown(provider: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = [f"--{name.replace('_', '-')}" for name in options if name not in known]
    if unknown:
        what = "it" if len(unknown) == 1 else "them"
        raise ConfigError(f"{provider} has no use for {' and '.join(unknown)}: leave {what} out")


def build_endpoint(spec: Spec, preset: Preset, asking: Asking) -> OpenAIChat:
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
    options = asking.options
    _refuse_unknown(spec.provider, options, frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS)))
    if "schema_dialect" in options:
        preset = dataclasses.replace(preset, schema=options["schema_dialect"])
    return OpenAIChat(
        preset=preset,
        model=model,
        endpoint=endpoint,
        key=key,
        parameters=Parameters(
            max_tokens=options.get("max_tokens", DEFAULT_MAX_TOKENS) or None,
            **{name: options[name] for name in ("temperature", "top_p", "seed", "extra") if name in options},
        ),
        limits=Limits(**{_LIMITS[name]: options[name] for name in _LIMITS if name in options}),
        timeout=asking.timeout,
    )
