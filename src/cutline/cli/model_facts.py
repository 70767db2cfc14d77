"""Facts that the list of models and the card of one share."""

from __future__ import annotations

from importlib.util import find_spec

from cutline.captioners.factory import find_key
from cutline.captioners.hosted.presets import Preset
from cutline.captioners.interrogator.labels import PACKAGE
from cutline.captioners.transformers.families import BLIP
from cutline.captioners.transformers.family import Weights
from cutline.encoders import DEFAULT_CLIP
from cutline.engine.prices import price_of
from cutline.weights import is_downloaded

OF_INTERROGATOR = (Weights(repo=DEFAULT_CLIP, gigabytes=1.71, licence="MIT"), BLIP.sizes["base"])
"""Its default models."""

_EMBEDDED = {
    "pixels": "measures light, colour and layout; always ready",
    "fake": "repeatable made-up captions, for trying things out",
    "interrogator": "phrases for image generators, by CLIP and a caption model",
}


def has_local() -> bool:
    """Whether local models can run in this environment."""
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


def readiness(preset: Preset) -> str:
    """A service's mark in the list."""
    return "?" if not preset.key_needed else "✓" if find_key(preset) else "✗"


def ready_interrogator() -> tuple[str, str]:
    """The interrogator's mark in the list, and the reason."""
    if not has_local():
        return "✗", "no: pip install 'cutline[local]'"
    if find_spec(PACKAGE) is None:
        return "✗", "no: pip install --no-deps clip-interrogator, or use label files of your own"
    if all(is_downloaded(weights.repo) for weights in OF_INTERROGATOR):
        return "✓", "yes"
    return "↓", "after a download"


def price(captioner: str) -> str:
    """US dollars for a million tokens of prompt and of completion; empty if unknown."""
    known = price_of(captioner)
    if known is None:
        return ""
    return f"{known.input:.2f}/{known.output:.2f}" if known.input or known.output else "free"


def embedded_about(name: str) -> str:
    """What a built-in captioner is, or that it is a plug-in."""
    return _EMBEDDED.get(name, "plug-in")
