"""The captioners, chains and prompts that the studio offers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from cutline import registry
from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.pixels import Pixels
from cutline.captioners.plugins import load_plugins
from cutline.captioners.transformers.family import Family
from cutline.captioners.transformers.inputs import unsupported_reason
from cutline.errors import install_line
from cutline.prompts import library_prompts, load_prompt, sample_variables
from cutline.records import Sample
from cutline.studio.settings import StudioSettings

_HERE: Final = {
    "pixels": "English sentences of colours, layout and text, without a model's weights",
    "fake": "for trials: meaningless texts, instantly",
}
_ENDPOINT: Final = "endpoint"
VARIABLES: Final = frozenset(sample_variables(Sample(key="", location=None)))
"""Of a prompt for a picture of the studio."""


def captioners_json(settings: StudioSettings) -> dict[str, Any]:
    """All arguments of ``Choice``, without keys."""
    load_plugins(settings.plugin)
    names = registry.names("captioners")
    return {
        "captioners": [*map(_embedded, names), *map(_hosted, PRESETS.values())],
        "chains": list(settings.chains),
        "prompts": [{"name": name, "about": about} for name, about in _prompts().items()],
        "endpoints": list(settings.endpoint),
        "any_endpoint": settings.is_loopback,
    }


def _prompts() -> dict[str, str]:
    """The library's prompts whose variables a picture has, and what they are for."""
    return {
        name: about
        for name, about in library_prompts().items()
        if VARIABLES.issuperset(load_prompt(name).variables)
    }


def _embedded(name: str) -> dict[str, Any]:
    if name in _HERE:
        prompts = _useful(Pixels()) if name == "pixels" else None
        return _entry(name, "here", _HERE[name], "", prompts)
    if name not in registry.BUILT_IN["captioners"]:
        return _entry(name, "here", "plug-in", "")
    needs = "" if find_spec("torch") and find_spec("transformers") else install_line("local")
    family = registry.load("captioners", name)
    prompts = _supported(family) if isinstance(family, Family) else None
    return _entry(name, "local", "on this machine; its weights are downloaded once", needs, prompts)


def _useful(pixels: Pixels) -> list[str]:
    ignores, names = pixels.profile.ignores, _prompts()
    return [name for name in names if ignores is None or not ignores(load_prompt(name))]


def _supported(family: Family) -> list[str]:
    return [name for name in _prompts() if not unsupported_reason(family, load_prompt(name))]


def _hosted(preset: Preset) -> dict[str, Any]:
    needs = ""
    if preset.key_needed and find_key(preset) is None and not preset.is_moved:
        needs = f"set {' or '.join(preset.key_env)} before the studio is started"
    model = f"{preset.name}:{preset.default_model}" if preset.default_model else preset.name
    return _entry(
        model, "server" if preset.is_here or preset.name == _ENDPOINT else "hosted", preset.about, needs
    )


def _entry(model: str, kind: str, about: str, needs: str, prompts: list[str] | None = None) -> dict[str, Any]:
    """``prompts``: of the library, that it supports; None for all."""
    facts = {"model": model, "kind": kind, "about": about, "ready": not needs, "needs": needs}
    return {**facts, "prompts": prompts}
