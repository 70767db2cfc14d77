"""Build the captioner of a ``provider:name``."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from cutline import parameters, registry
from cutline.captioners.endpoint_factory import build_endpoint, options_of_service, parameters_of_service
from cutline.captioners.foreign import adapt
from cutline.captioners.spec import (
    LOCAL_OPTIONS,
    MODEL_OPTIONS,
    PICTURE_OPTIONS,
    SERVER_OPTIONS,
    CaptionerOptions,
    Spec,
    is_family,
    refuse_unknown,
)
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.prompts import Prompt

if TYPE_CHECKING:
    from cutline.captioners.hosted.nvidia import NvidiaHosted
    from cutline.captioners.hosted.openai import OpenAIChat

BuildCaptioner: TypeAlias = Callable[[str, CaptionerOptions], Captioner]


def build_inner(spec: Spec, options: CaptionerOptions, build: BuildCaptioner) -> Captioner:
    """The captioner itself, without retries, slots and a time limit; ``build`` makes those that it wraps.

    Raises:
        ConfigError: missing key or model name, or an option that it does not support; names the cure.
        MissingExtra: it needs an extra.
    """
    if spec.preset is None:
        return _build_registered(spec, options, build)
    from cutline.captioners.managed_server import build_served

    return build_served(spec, spec.preset, options)


def adjustable(spec: Spec, options: CaptionerOptions) -> dict[str, Any]:
    """The options that ``adjusted`` can set on a captioner which was built without them."""
    known = frozenset(parameters.USUAL)
    if spec.preset is not None:
        known &= {parameter.name for parameter in parameters_of_service(spec, spec.preset)}
    else:
        made = registry.load("captioners", spec.provider)
        is_own = isinstance(made, type) and Captioner in made.__mro__ and "adjusted" in vars(made)
        known = known & _keywords(made) if is_own or is_family(made) else frozenset()
    given = {name: value for name, value in options.options.items() if name in known}
    if given.get("max_tokens") == 0:  # the endpoint's own limit, which is not a value of the parameter
        del given["max_tokens"]
    return given


def start_command(spec: Spec, options: CaptionerOptions) -> str:
    """How to start the server on this machine, as a sentence; empty where that is not known."""
    command = spec.preset.start if spec.preset is not None else ""
    if not command or options.endpoint is not None or "start" in options.options:
        return ""
    return f"Start it with `{command}`, or for the time of a run with --start"


def build_bare_endpoint(text: str, options: CaptionerOptions) -> OpenAIChat | NvidiaHosted | None:
    """The service of that name without wrappers; None for other captioners.

    Raises:
        ConfigError: as ``build_inner``.
    """
    spec = Spec.parse(text, endpoint=options.endpoint)
    if spec.preset is None:
        return None
    return build_endpoint(spec, spec.preset, with_parameters(spec, options))


def options_of(text: str, *, endpoint: str | None) -> frozenset[str]:
    """Those of MODEL_OPTIONS and PICTURE_OPTIONS that the captioner of that name supports.

    Raises:
        ConfigError: as ``Spec.parse``.
        MissingExtra: it needs an extra.
    """
    spec = Spec.parse(text, endpoint=endpoint)
    if spec.preset is not None:
        return options_of_service(spec, spec.preset)
    known = _keywords(registry.load("captioners", spec.provider))
    if "build" in known:
        return frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS, *LOCAL_OPTIONS, *SERVER_OPTIONS))
    return known | {"parameters"} if known & set(parameters.USUAL) else known


def with_parameters(spec: Spec, options: CaptionerOptions) -> CaptionerOptions:
    """Check the text of ``parameters``, and put its values where those of the options of the same name are.

    Raises:
        ConfigError: it cannot be parsed, repeats an option, or the captioner does not support one.
    """
    given = {name: value for name, value in options.options.items() if name != "parameters"}
    text = options.options.get("parameters") or ""
    if text.strip():
        if spec.preset is not None:
            label = f"{spec.provider}:{spec.name}" if spec.name else spec.provider
            allowed = parameters_of_service(spec, spec.preset)
        else:
            known = _keywords(registry.load("captioners", spec.provider))
            if "build" in known:  # the captioner within checks them
                return options
            label = spec.provider
            allowed = tuple(parameter for parameter in parameters.COMMON if parameter.name in known)
            if "device" in known:
                from cutline.captioners.transformers.settings import GENERATION_PARAMETERS

                allowed += GENERATION_PARAMETERS
        found = parameters.parse_unique(text, given)
        parameters.check(label, found, allowed)
        extra = {name: value for name, value in found.items() if name not in parameters.USUAL}
        given |= {name: value for name, value in found.items() if name in parameters.USUAL}
        if extra:
            given["extra"] = {**(given.get("extra") or {}), **extra}
    return dataclasses.replace(options, options=given)


def _build_registered(spec: Spec, options: CaptionerOptions, build: BuildCaptioner) -> Captioner:
    """A captioner of the registry, whose keyword parameters are the options that it supports."""
    made = registry.load("captioners", spec.provider)
    if options.key is not None:
        raise ConfigError(f"{spec.provider} needs no key: remove --api-key")
    known = _keywords(made)
    given: dict[str, Any] = {name: value for name, value in options.options.items() if name in known}
    given |= {name: getattr(options, name) for name in ("timeout", "concurrency") if name in known}
    builder = _Builder(build, options)
    if "build" in known:  # the captioner within checks them
        given["build"] = builder
    else:
        refuse_unknown(spec.provider, options.options, known)
    captioner = adapt(made(*([spec.name] if spec.name else []), **given), spec.provider)
    if not builder.used:
        refuse_unknown(captioner.name, options.options, known)
    return captioner


class _Builder:
    """Builds a captioner for another one, without retries: what fails is repeated as a whole."""

    def __init__(self, build: BuildCaptioner, options: CaptionerOptions) -> None:
        self._build = build
        self._options = dataclasses.replace(options, retries=0)
        self.used = False

    def __call__(self, text: str) -> Captioner:
        self.used = True
        return self._build(text, self._options)


def _keywords(made: Callable[..., object]) -> frozenset[str]:
    """The options that a captioner's class or function takes by keyword; ``**options`` takes all."""
    taken = inspect.signature(made).parameters.values()
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in taken):
        return frozenset((*MODEL_OPTIONS, *PICTURE_OPTIONS))
    return frozenset(parameter.name for parameter in taken if parameter.kind is parameter.KEYWORD_ONLY)


def check_prompt(captioner: Captioner, prompt: Prompt, *, language: str | None) -> None:
    """Refuse instructions where the captioner follows none.

    Raises:
        ConfigError: names what it supports instead.
    """
    if language and not captioner.profile.instructable:
        raise ConfigError(f"{captioner.name} follows no instructions: --language needs a model that does")
    captioner.check_prompt(prompt)
