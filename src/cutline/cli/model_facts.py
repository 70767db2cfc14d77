"""What the list of captioners and the card of one both tell."""

from __future__ import annotations

from importlib.util import find_spec

from cutline.captioners.building import find_key
from cutline.captioners.presets import Preset
from cutline.engine.pricing import price_of

_EMBEDDED = {
    "pixels": "measures light, colour and layout; always ready",
    "fake": "repeatable made-up answers, for trying things out",
    "interrogator": "phrases for image generators, by CLIP and a caption model",
}


def has_local() -> bool:
    """Whether models can run in this process."""
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


def readiness(preset: Preset) -> str:
    """The mark of a service."""
    return "?" if not preset.key_needed else "✓" if find_key(preset) else "✗"


def price(captioner: str) -> str:
    """Dollars for a million tokens of question and of answer; empty where that is not known."""
    known = price_of(captioner)
    if known is None:
        return ""
    return f"{known.input:.2f}/{known.output:.2f}" if known.input or known.output else "free"


def embedded_about(name: str) -> str:
    """What one of our own captioners is, or that it is a plug-in's."""
    return _EMBEDDED.get(name, "plug-in")
