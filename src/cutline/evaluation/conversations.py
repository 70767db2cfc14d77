"""Captions in conversations, as LLaVA's data sets and chat messages have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_AUTHORS: Final = {"from": "value", "role": "content"}
_MODELS: Final = frozenset({"gpt", "assistant", "model", "chatbot", "bot"})


def is_conversation(values: Sequence[Any]) -> bool:
    """Whether these are turns: ``{"from": "human", "value": …}`` or ``{"role": "user", "content": …}``."""
    return bool(values) and all(_author(one) is not None for one in values)


def first_reply(turns: Sequence[Any]) -> list[Any]:
    """The model's first reply; later ones answer questions about details. Empty where there is none."""
    for turn in turns:
        author = _author(turn)
        if author is not None and str(turn[author]).lower() in _MODELS:
            return [_text(turn[_AUTHORS[author]])]
    return []


def _author(turn: Any) -> str | None:
    """The field that names who speaks; None: this is no turn."""
    found = (author for author, text in _AUTHORS.items() if author in turn and text in turn)
    return next(found, None) if isinstance(turn, dict) else None


def _text(content: Any) -> Any:
    """The text of a turn, whose content may be a list of parts."""
    if not isinstance(content, list):
        return content
    texts = [part.get("text") for part in content if isinstance(part, dict)]
    parts = [text for text in texts if isinstance(text, str)]
    return " ".join(parts) if parts else content
