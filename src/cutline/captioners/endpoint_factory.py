"""From the name of a service and its model to who asks it, with nothing around."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cutline import parameters
from cutline.captioners.hosted.nvidia_models import HOSTED, HostedModel
from cutline.captioners.hosted.presets import Parameters, Preset
from cutline.captioners.servers.programs import PROGRAMS
from cutline.captioners.spec import PICTURE_OPTIONS, CaptionerOptions, Spec, refuse_unknown
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.imaging import Limits
from cutline.parameters import Parameter

if TYPE_CHECKING:
    from cutline.captioners.hosted.nvidia import NvidiaHosted
    from cutline.captioners.hosted.openai import OpenAIChat

DEFAULT_MAX_TOKENS = 512
_SENT = ("max_tokens", "temperature", "top_p", "seed", "extra")
_LIMITS = {"max_side": "max_side", "max_bytes": "max_bytes", "jpeg_quality": "quality"}


def find_key(preset: Preset) -> Secret | None:
    """The service's key from the environment."""
    for name in preset.key_env:
        if value := os.environ.get(name, "").strip():
            return Secret(value)
    return None


def options_of_service(spec: Spec, preset: Preset) -> frozenset[str]:
    """The options that this model of a service has a use for."""
    own = "large_images" if _hosted(spec, preset) else "schema_dialect"
    return frozenset((*_SENT, "parameters", *PICTURE_OPTIONS, own, *_of_a_server(preset)))


def _of_a_server(preset: Preset) -> tuple[str, ...]:
    """The options that a service on this machine has a use for."""
    program = PROGRAMS.get(preset.name)
    started = ("start", "start_timeout") if program else ()
    options = ("server_args",) if program and program.takes_options else ()
    return (
        *started,
        *options,
        *(["port"] if preset.is_here else []),
        *(["pull"] if preset.name == "ollama" else []),
    )


def parameters_of_service(spec: Spec, preset: Preset) -> tuple[Parameter, ...]:
    """The parameters that this model of a service takes, by its documentation."""
    model = _hosted(spec, preset)
    return model.parameters if model else preset.parameters


def build_endpoint(spec: Spec, preset: Preset, asking: CaptionerOptions) -> OpenAIChat | NvidiaHosted:
    """The endpoint itself, with nothing around it.

    Raises:
        ConfigError: no URL, key or model's name where one is needed, or an option that means nothing here.
    """
    endpoint = preset.endpoint if asking.endpoint is None else asking.endpoint
    if not _is_url(endpoint):
        raise ConfigError(f"{endpoint!r} is not a URL; pass --endpoint http://host:port/v1")
    name = spec.name or preset.default_model
    if not name:
        raise ConfigError(f"{spec.provider} needs a model name: --model {spec.provider}:NAME")
    key = _key(spec, preset, asking)
    if key is not None and "@" in urlsplit(endpoint).netloc:
        raise ConfigError("the endpoint's URL holds a password and there is a key too: only one can be sent")
    model = _hosted(spec, preset)
    options = asking.options
    refuse_unknown(
        f"{spec.provider}:{name}" if model else spec.provider, options, options_of_service(spec, preset)
    )
    limits = Limits(**{_LIMITS[name]: options[name] for name in _LIMITS if name in options})
    if model is not None:
        return _nvidia(preset, model, asking, key, limits)
    from cutline.captioners.hosted.openai import OpenAIChat

    if "schema_dialect" in options:
        preset = dataclasses.replace(preset, schema=options["schema_dialect"])
    return OpenAIChat(
        preset=preset,
        model=name,
        endpoint=endpoint,
        key=key,
        parameters=_parameters(options, {"max_tokens": DEFAULT_MAX_TOKENS}),
        limits=limits,
        timeout=asking.timeout,
    )


def _nvidia(
    preset: Preset, model: HostedModel, asking: CaptionerOptions, key: Secret | None, limits: Limits
) -> NvidiaHosted:
    from cutline.captioners.hosted.nvidia import NvidiaHosted

    options = asking.options
    given = {name: options[name] for name in parameters.USUAL if options.get(name) not in {None, 0}}
    parameters.check(f"{preset.name}:{model.name}", given, model.parameters, option="--")
    defaults = {"max_tokens": model.max_tokens, "temperature": model.temperature, "top_p": model.top_p}
    return NvidiaHosted(
        preset=preset,
        model=model,
        endpoint=asking.endpoint,
        key=key,
        parameters=_parameters(options, defaults),
        limits=limits,
        upload=options.get("large_images") == "asset",
        timeout=asking.timeout,
    )


def _hosted(spec: Spec, preset: Preset) -> HostedModel | None:
    return HOSTED.get(spec.name) if preset.name == "nvidia" else None


def _key(spec: Spec, preset: Preset, asking: CaptionerOptions) -> Secret | None:
    key = asking.key or find_key(preset)
    if key is None and preset.key_needed and asking.endpoint is None:
        raise ConfigError(
            f"{spec.provider} needs a key: set {' or '.join(preset.key_env)}, or pass --api-key"
        )
    if key is not None:
        key.check()
    return key


def _parameters(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> Parameters:
    values = {**defaults, **{name: options[name] for name in _SENT if name in options}}
    values["max_tokens"] = values["max_tokens"] or None
    return Parameters(**values)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, half an IPv6 address
        return False
