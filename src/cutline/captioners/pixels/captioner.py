"""The embedded captioner: describes what can be measured in the pixels, without a model."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

from cutline.captioners.pixels.measurements import Measurements, measure
from cutline.captioners.pixels.ocr import TextReader, one_line
from cutline.captioners.pixels.sentences import long_caption, short_caption, tags
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.prompts import Prompt
from cutline.records import Reply

_MEASURE_SIDE: Final = 384
_OCR_SIDE: Final = 1280
_SETTINGS: Final = {"ocr": True, "no-ocr": False}
_FIELDS: Final = {
    "caption": "long", "description": "long", "long": "long", "long_caption": "long",
    "short": "short", "short_caption": "short", "alt": "short", "alt_text": "short",
    "tags": "tags", "keywords": "tags", "colors": "colours", "colours": "colours", "text": "text",
}  # fmt: skip
_FORMS: Final = {
    "tags": re.compile(r"\b(tags|keywords)\b", re.IGNORECASE),
    "short": re.compile(r"\b(short|brief|briefly|one[- ]sentence|alt[- ]?text)\b", re.IGNORECASE),
}
_DEFAULT_PROMPTS: Final = frozenset({"describe", "detailed"})  # library prompts for the usual caption
_TRANSCRIPTION: Final = "ocr"  # the library prompt for the text in the picture and nothing else
_NO_TEXT: Final = "[no text]"  # as that prompt requests it
_WRAPPER: Final = re.compile(r"<(\w+)>.*</\1>", re.DOTALL)


class Pixels(Captioner):
    """Describes light, colours, focus and composition; does not recognise objects.

    Of a prompt, it supports what needs no understanding: a form (tags, short), schema fields, a wrapper.
    With ``ocr``, by name ``pixels:ocr``, it also reads text in the picture, which takes thirty times as long
    as everything else. ``pixels:no-ocr`` is the same as ``pixels``.

    Raises:
        MissingExtra: ``ocr`` is set and the extra is not installed.
        ConfigError: the name has an unknown setting after the colon.
    """

    name = "pixels"

    def __init__(self, ocr: bool | str = False) -> None:
        if isinstance(ocr, str):
            if ocr not in _SETTINGS:
                hint = did_you_mean(ocr, _SETTINGS)
                raise ConfigError(f"pixels has no setting {ocr!r}{hint}; it has {' and '.join(_SETTINGS)}")
            self.name = f"pixels:{ocr}"
            ocr = _SETTINGS[ocr]
        self.profile = Profile(instructable=False, ignores=self._ignores)
        self._reader = TextReader() if ocr else None
        self._threads = ThreadPoolExecutor(max_workers=self.slots, thread_name_prefix="pixels")

    @property
    def slots(self) -> int:
        return os.cpu_count() or 1

    async def open(self, say: Say = silent) -> None:  # noqa: ARG002 - too quick to report
        """Load the text recognition models, if any."""
        if self._reader is not None:
            await asyncio.get_running_loop().run_in_executor(self._threads, self._reader.load)

    def check_prompt(self, prompt: Prompt) -> None:
        """Raises ConfigError for the library's prompt ``ocr`` where no text is read, and several pictures."""
        super().check_prompt(prompt)
        if self._reader is None and prompt.name == _TRANSCRIPTION:
            raise ConfigError(f"{self.name} does not read text; for the prompt ocr use the model pixels:ocr")

    def _ignores(self, prompt: Prompt) -> bool:
        """Whether ``prompt`` changes nothing: it names no form, schema or wrapper that is supported."""
        if prompt.name == _TRANSCRIPTION:
            return self._reader is None
        named = prompt.name in _DEFAULT_PROMPTS or _form(prompt) != "long"
        return not (named or prompt.schema or prompt.regex)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        """Measure and describe the picture. Deterministic.

        Raises:
            PictureError: the picture cannot be read or decoded.
        """
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._caption, picture, prompt)

    async def aclose(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _caption(self, picture: Picture, prompt: Prompt) -> Reply:
        start = time.perf_counter()
        info = picture.info()
        measured = measure(picture.image(max_side=_MEASURE_SIDE), width=info.width, height=info.height)
        lines = None if self._reader is None else self._reader.read(picture.image(max_side=_OCR_SIDE))
        return Reply(
            text=_reply_text(prompt, measured, lines),
            model=self.name,
            finish_reason="stop",
            seconds=time.perf_counter() - start,
            raw={**dataclasses.asdict(measured), "text": one_line(lines or [])},
        )


def _reply_text(prompt: Prompt, measured: Measurements, lines: list[str] | None) -> str:
    """The reply to ``prompt``; ``lines`` is the text in the picture, None where text is not read."""
    if prompt.schema and (fields := _fields(prompt.schema, measured, lines)):
        return orjson.dumps(fields).decode()
    if prompt.name == _TRANSCRIPTION and lines is not None:
        reply = "\n".join(lines) or _NO_TEXT
    else:
        form = _form(prompt)
        reply = ", ".join(tags(measured)) if form == "tags" else _prose(form, measured, lines)
    # A regex such as <caption>(.*)</caption> tells how to wrap the reply.
    wrapper = _WRAPPER.search(prompt.regex) if prompt.regex else None
    return f"<{wrapper[1]}>{reply}</{wrapper[1]}>" if wrapper else reply


def _form(prompt: Prompt) -> str:
    texts = (text.replace("_", "-") for text in (prompt.name, f"{prompt.prefix} {prompt.suffix}"))
    return next((form for text in texts for form, words in _FORMS.items() if words.search(text)), "long")


def _prose(form: str, measured: Measurements, lines: list[str] | None) -> str:
    caption = short_caption(measured) if form == "short" else long_caption(measured)
    return f'{caption} The text reads "{one_line(lines)}".' if lines else caption


def _fields(schema: dict[str, Any], measured: Measurements, lines: list[str] | None) -> dict[str, Any]:
    """The properties of ``schema`` that can be filled, in its order."""
    lists = {"tags": tags(measured), "colours": [swatch.name for swatch in measured.palette]}
    texts = {form: _prose(form, measured, lines) for form in ("long", "short")}
    if lines is not None:
        texts["text"] = one_line(lines)
    fields: dict[str, Any] = {}
    for name, described in schema.get("properties", {}).items():
        content = _FIELDS.get(name.lower(), "")
        is_list = isinstance(described, dict) and described.get("type") == "array"  # true is a schema too
        if content in lists:
            fields[name] = lists[content] if is_list else ", ".join(lists[content])
        elif content in texts and not is_list:
            fields[name] = texts[content]
    return fields
