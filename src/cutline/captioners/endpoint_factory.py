"""Build the endpoint of a service and its model, without wrappers."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from cutline import parameters
from cutline.captioners.hosted.preset import Parameters, Preset
from cutline.captioners.spec import (
    HEADER_OPTIONS,
    PICTURE_OPTIONS,
    SENT_OPTIONS,
    CaptionerOptions,
    Spec,
    refuse_unknown,
)
from cutline.credentials import Secret, bare_address
from cutline.endpoint_headers import EndpointHeaders, endpoint_headers
from cutline.errors import ConfigError
from cutline.imaging import Limits
from cutline.parameters import COMMON, Parameter

if TYPE_CHECKING:
    from cutline.captioners.hosted.nvidia import NvidiaHosted
    from cutline.captioners.hosted.nvidia_models import HostedModel
    from cutline.captioners.hosted.openai import OpenAIChat

DEFAULT_MAX_TOKENS = 512
_LIMITS = {"max_side": "max_side", "max_bytes": "max_bytes", "jpeg_quality": "quality"}


def find_key(preset: Preset) -> Secret | None:
    """The service's key from the environment."""
    for name in preset.key_env:
        if value := os.environ.get(name, "").strip():
            return Secret(value)
    return None


def options_of_service(spec: Spec, preset: Preset) -> frozenset[str]:
    """The options that this model of a service supports."""
    from cutline.captioners.servers.programs import PROGRAMS

    own = "large_images" if _hosted(spec, preset) else "schema_dialect"
    program = PROGRAMS.get(preset.name)
    of_server = {
        "start": program is not None,
        "start_timeout": program is not None,
        "server_args": program is not None and program.takes_options,
        "port": preset.is_here,
        "pull": preset.name == "ollama",
    }
    supported = (name for name, is_supported in of_server.items() if is_supported)
    taken = {parameter.name for parameter in parameters_of_service(spec, preset)}
    ignored = {parameter.name for parameter in COMMON} - taken
    sent = (name for name in SENT_OPTIONS if name not in ignored)
    return frozenset((*sent, "parameters", *HEADER_OPTIONS, *PICTURE_OPTIONS, own, *supported))


def parameters_of_service(spec: Spec, preset: Preset) -> tuple[Parameter, ...]:
    """The parameters that this model of a service supports, by its documentation."""
    model = _hosted(spec, preset)
    return model.parameters if model else preset.parameters


def build_endpoint(
    spec: Spec, preset: Preset, options: CaptionerOptions, *, is_limited: bool = False
) -> OpenAIChat | NvidiaHosted:
    """The endpoint without wrappers; ``is_limited``: the caller limits the time of its calls.

    Raises:
        ConfigError: the URL, key or model's name is missing or invalid, or an option is not supported.
    """
    endpoint = preset.address if options.endpoint is None else options.endpoint
    if not endpoint and preset.endpoint_env:
        raise ConfigError(
            f"{spec.provider} needs an address: set {preset.endpoint_env[0]}, or pass --endpoint"
        )
    endpoint = endpoint.strip()
    if not _is_url(endpoint):
        raise ConfigError(f"{bare_address(endpoint)!r} is not a URL; pass --endpoint {_like(endpoint)}")
    name = spec.name or preset.default_model
    if not name:
        raise ConfigError(f"{spec.provider} needs a model name: --model {spec.provider}:NAME")
    own = endpoint_headers(options.options.get("header", ()), options.options.get("query", ()))
    key = _key(spec, preset, options, own)
    if key is not None and "@" in urlsplit(endpoint).netloc:
        raise ConfigError("the endpoint's URL holds a password and there is a key too: only one can be sent")
    model = _hosted(spec, preset)
    given = options.options
    label = f"{spec.provider}:{name}" if model else spec.provider
    refuse_unknown(label, given, options_of_service(spec, preset))
    limits = Limits(**{_LIMITS[name]: given[name] for name in _LIMITS if name in given})
    if model is not None:
        return _nvidia(preset, model, options, key, limits, own)
    from cutline.captioners.hosted.openai import OpenAIChat

    if "schema_dialect" in given:
        preset = dataclasses.replace(preset, schema=given["schema_dialect"])
    return OpenAIChat(
        preset=preset,
        model=name,
        endpoint=endpoint,
        key=key,
        parameters=_parameters(given, {"max_tokens": DEFAULT_MAX_TOKENS}),
        limits=limits,
        timeout=options.timeout,
        own=own,
        is_limited=is_limited,
    )


def _nvidia(
    preset: Preset,
    model: HostedModel,
    options: CaptionerOptions,
    key: Secret | None,
    limits: Limits,
    own: EndpointHeaders,
) -> NvidiaHosted:
    from cutline.captioners.hosted.nvidia import NvidiaHosted

    given = options.options
    usual = {name: given[name] for name in parameters.USUAL if given.get(name) not in {None, 0}}
    parameters.check(f"{preset.name}:{model.name}", usual, model.parameters, option="--")
    defaults = {"max_tokens": model.max_tokens, "temperature": model.temperature, "top_p": model.top_p}
    return NvidiaHosted(
        preset=preset,
        model=model,
        endpoint=options.endpoint,
        key=key,
        parameters=_parameters(given, defaults),
        limits=limits,
        upload=given.get("large_images") == "asset",
        timeout=options.timeout,
        own=own,
    )


def _hosted(spec: Spec, preset: Preset) -> HostedModel | None:
    if preset.name != "nvidia":
        return None
    from cutline.captioners.hosted.nvidia_models import HOSTED

    return HOSTED.get(spec.name)


def _key(spec: Spec, preset: Preset, options: CaptionerOptions, own: EndpointHeaders) -> Secret | None:
    if own.holds_authorization:
        if options.key is not None:
            raise ConfigError("--header Authorization is the key already: remove it or --api-key")
        return None
    key = options.key or find_key(preset)
    if own.holds_key:
        return options.key
    if (
        key is None
        and preset.key_needed
        and options.endpoint is None
        and (preset.address == preset.endpoint or not preset.endpoint)
    ):
        raise ConfigError(
            f"{spec.provider} needs a key: set {' or '.join(preset.key_env)}, or pass --api-key "
            "(--model-key of cutline serve)"
        )
    if key is not None:
        key.check()
    return key


def _parameters(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> Parameters:
    values = {**defaults, **{name: given[name] for name in SENT_OPTIONS if name in given}}
    values["max_tokens"] = values["max_tokens"] or None
    return Parameters(**values)


def _like(text: str) -> str:
    """The URL that a text without a scheme, or without brackets around an IPv6 address, stands for."""
    rest = re.sub(r"^https?:/+", "", text.strip("'\""))
    place, slash, path = rest.partition("/")
    host, _, port = place.rpartition(":")
    path = slash + path if path else "/v1"
    candidates = [f"http://{place}{path}"]
    if place.count(":") > 1 and "[" not in place:
        candidates = [f"http://[{host}]:{port}{path}", f"http://[{place}]{path}"]
    found = (
        one for one in candidates if rest and not rest.startswith("/") and "://" not in rest and _is_url(one)
    )
    return next(found, "http://host:port/v1")


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_host = bool(parts.hostname) and " " not in parts.netloc and parts.port != 0
    except ValueError:  # a port that is not a number, half an IPv6 address
        return False
    return has_host and parts.scheme in {"http", "https"}
