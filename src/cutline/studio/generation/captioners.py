"""The captioners, chains and prompts that the studio offers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Final

from cutline import registry
from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins import load_plugins
from cutline.errors import install_line
from cutline.prompts import library_prompts
from cutline.studio.settings import StudioSettings

_HERE: Final = {
    "pixels": "English sentences of colours, layout and text, without a model's weights",
    "fake": "for trials: meaningless texts, instantly",
}
_ENDPOINT: Final = "endpoint"


def captioners_json(settings: StudioSettings) -> dict[str, Any]:
    """All arguments of ``Choice``, without keys."""
    load_plugins(settings.plugin)
    names = registry.names("captioners")
    return {
        "captioners": [*map(_embedded, names), *map(_hosted, PRESETS.values())],
        "chains": list(settings.chains),
        "prompts": [{"name": name, "about": about} for name, about in library_prompts().items()],
        "endpoints": list(settings.endpoint),
        "any_endpoint": settings.is_loopback,
    }


def _embedded(name: str) -> dict[str, Any]:
    if name in _HERE:
        return _entry(name, "here", _HERE[name], "")
    if name not in registry.BUILT_IN["captioners"]:
        return _entry(name, "here", "plug-in", "")
    needs = "" if find_spec("torch") and find_spec("transformers") else install_line("local")
    return _entry(name, "local", "on this machine; its weights are downloaded once", needs)


def _hosted(preset: Preset) -> dict[str, Any]:
    needs = ""
    if preset.key_needed and find_key(preset) is None and not preset.is_moved:
        needs = f"set {' or '.join(preset.key_env)} before the studio is started"
    model = f"{preset.name}:{preset.default_model}" if preset.default_model else preset.name
    return _entry(
        model, "server" if preset.is_here or preset.name == _ENDPOINT else "hosted", preset.about, needs
    )


def _entry(model: str, kind: str, about: str, needs: str) -> dict[str, Any]:
    return {"model": model, "kind": kind, "about": about, "ready": not needs, "needs": needs}
