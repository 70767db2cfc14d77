"""The part of a prompt that needs no understanding: its form (tags, short), schema fields, a wrapper."""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from cutline.captioners.pixels.measurements import Measurements
from cutline.captioners.pixels.ocr import one_line
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
_DEFAULT_PROMPTS: Final = frozenset({"describe", "detailed"})  # library prompts for the usual caption
_WRAPPER: Final = re.compile(r"<(\w+)>.*</\1>", re.DOTALL)
_NO_TEXT: Final = "[no text]"  # as the library's prompt ocr requests it


def reply_text(prompt: Prompt, measured: Measurements, lines: list[str] | None) -> str:
    """The reply to ``prompt``; ``lines`` is the text in the picture, None where text is not read."""
    if prompt.schema:
        fields = _fields(prompt.schema, measured, lines)
        if fields:
            return orjson.dumps(fields).decode()
    form = _form(prompt)
    if is_transcription(prompt) and lines is not None:
        reply = "\n".join(lines) or _NO_TEXT
    else:
        reply = ", ".join(tags(measured)) if form == "tags" else _prose(form, measured, lines)
    # A regex such as <caption>(.*)</caption> tells how to wrap the reply.
    wrapper = _WRAPPER.search(prompt.regex) if prompt.regex else None
    return f"<{wrapper[1]}>{reply}</{wrapper[1]}>" if wrapper else reply


def is_transcription(prompt: Prompt) -> bool:
    """Whether it is the library's prompt ``ocr``, which requests the text in the picture and nothing else."""
    return prompt.name == "ocr"


def is_supported(prompt: Prompt) -> bool:
    """Whether the reply has the form that ``prompt`` requests."""
    return bool(prompt.schema or prompt.regex) or prompt.name in _DEFAULT_PROMPTS or _form(prompt) != "long"


def _form(prompt: Prompt) -> str:
    for text in (prompt.name, f"{prompt.prefix} {prompt.suffix}"):
        if _TAGS.search(text.replace("_", "-")):
            return "tags"
        if _SHORT.search(text.replace("_", "-")):
            return "short"
    return "long"


def _prose(form: str, measured: Measurements, lines: list[str] | None) -> str:
    caption = short_caption(measured) if form == "short" else long_caption(measured)
    return f'{caption} The text reads "{one_line(lines)}".' if lines else caption


def _fields(schema: dict[str, Any], measured: Measurements, lines: list[str] | None) -> dict[str, Any]:
    """The properties of ``schema`` that can be filled, in its order."""
    fields: dict[str, Any] = {}
    for name, described in schema.get("properties", {}).items():
        content = _FIELDS.get(name.lower())
        is_list = described.get("type") == "array"
        if content in {"tags", "colours"}:
            found = tags(measured) if content == "tags" else [swatch.name for swatch in measured.palette]
            fields[name] = found if is_list else ", ".join(found)
        elif content == "text" and lines is not None and not is_list:
            fields[name] = one_line(lines)
        elif content in {"long", "short"} and not is_list:
            fields[name] = _prose(content, measured, lines)
    return fields
