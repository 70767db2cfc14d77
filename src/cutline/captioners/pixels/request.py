"""What of a prompt can be honoured without understanding it: tags, a short text, fields, a wrapper."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from cutline.captioners.pixels.measurements import Measurements
from cutline.captioners.pixels.sentences import long_caption, short_caption, tags
from cutline.prompts import Prompt

_FIELDS: Final = {
    "caption": "long", "description": "long", "long": "long", "long_caption": "long",
    "short": "short", "short_caption": "short", "alt": "short", "alt_text": "short",
    "tags": "tags", "keywords": "tags", "colors": "colours", "colours": "colours", "text": "text",
}  # fmt: skip
_TAGS: Final = re.compile(r"\b(tags|keywords)\b", re.IGNORECASE)
_SHORT: Final = re.compile(
    r"\b(short|brief|briefly|one[- ]sentence|one sentence|alt[- ]?text)\b", re.IGNORECASE
)
_PLAIN: Final = frozenset({"describe", "detailed"})  # prompts for what is said anyway
_WRAPPED: Final = re.compile(r"<(\w+)>.*</\1>", re.DOTALL)


def answer(prompt: Prompt, found: Measurements, text: str) -> str:
    """The reply to ``prompt``; ``text`` is what was read in the picture, or empty."""
    if prompt.schema:
        values = _values(prompt.schema, found, text)
        if values:
            return orjson.dumps(values).decode()
    form = _form(prompt)
    reply = ", ".join(tags(found)) if form == "tags" else _prose(form, found, text)
    # A regex such as <caption>(.*)</caption> says how the answer is to be wrapped.
    wrapper = _WRAPPED.search(prompt.regex) if prompt.regex else None
    return f"<{wrapper[1]}>{reply}</{wrapper[1]}>" if wrapper else reply


def honours(prompt: Prompt) -> bool:
    """Whether the answer is what the prompt asks for, as far as that is a form."""
    return bool(prompt.schema or prompt.regex) or prompt.name in _PLAIN or _form(prompt) != "long"


def _form(prompt: Prompt) -> str:
    for words in (prompt.name, f"{prompt.prefix} {prompt.suffix}"):
        if _TAGS.search(words.replace("_", "-")):
            return "tags"
        if _SHORT.search(words.replace("_", "-")):
            return "short"
    return "long"


def _prose(form: str, found: Measurements, text: str) -> str:
    words = short_caption(found) if form == "short" else long_caption(found)
    return f'{words} The text reads "{text}".' if text else words


def _values(schema: dict[str, Any], found: Measurements, text: str) -> dict[str, Any]:
    """The properties of ``schema`` that can be filled, in its order; others are left out."""
    values: dict[str, Any] = {}
    for name, described in schema.get("properties", {}).items():
        meaning = _FIELDS.get(name.lower())
        if meaning is None:
            continue
        listed = described.get("type") == "array"
        if meaning in {"tags", "colours"}:
            words = tags(found) if meaning == "tags" else [swatch.name for swatch in found.palette]
            values[name] = words if listed else ", ".join(words)
        elif not listed:
            values[name] = text if meaning == "text" else _prose(meaning, found, text)
    return values
