"""The embedded captioner: describes what can be measured in the pixels, without a model."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import orjson

from cutline.captioners.pixels.grammar import join
from cutline.captioners.pixels.measurements import Measurements, measure
from cutline.captioners.pixels.objects import OBJECT_SIDE, ObjectRecognizer, RecognizedObject, sure_object
from cutline.captioners.pixels.sentences import long_caption, short_caption, tags
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile, Say, silent
from cutline.measures.ocr import TextReader, one_line
from cutline.processors import usable_processors
from cutline.prompts import Prompt
from cutline.records import Reply

_MEASURE_SIDE: Final = 384
_OCR_SIDE: Final = 1280
_SETTINGS: Final = ("ocr", "objects", "no-ocr")
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
    """Describes light, colours, focus and composition; recognizes objects on request only.

    Of a prompt, it supports what needs no understanding: a form (tags, short), schema fields, a wrapper.
    With ``ocr``, by name ``pixels:ocr``, it also reads text in the picture, which takes thirty times as long
    as everything else. With ``objects``, by name ``pixels:objects``, it names an object that it is sure to
    recognize; ``pixels:ocr,objects`` does both. ``pixels:no-ocr`` is the same as ``pixels``.

    Raises:
        MissingExtra: ``ocr`` or ``objects`` is set and the extra is not installed.
        ConfigError: the name has an unknown setting after the colon.
    """

    name = "pixels"

    def __init__(self, ocr: bool | str = False, *, objects: bool = False) -> None:  # noqa: FBT001, FBT002 - of a name
        if isinstance(ocr, str):
            chosen = ocr.split(",")
            for setting in chosen:
                if setting not in _SETTINGS:
                    hint = did_you_mean(setting, _SETTINGS)
                    raise ConfigError(f"pixels has no setting {setting!r}{hint}; it has {join(_SETTINGS)}")
            self.name = f"pixels:{ocr}"
            ocr, objects = "ocr" in chosen, "objects" in chosen
        self.profile = Profile(instructable=False, ignores=self._ignores)
        self._reader = TextReader() if ocr else None
        self._recognizer = ObjectRecognizer() if objects else None
        self._threads = ThreadPoolExecutor(max_workers=self.slots, thread_name_prefix="pixels")

    @property
    def slots(self) -> int:
        return usable_processors()

    async def open(self, say: Say = silent) -> None:  # noqa: ARG002 - too quick to report
        """Load the models that read text and recognise objects, if any."""
        loop = asyncio.get_running_loop()
        if self._reader is not None:
            await loop.run_in_executor(self._threads, self._reader.load)
        if self._recognizer is not None:
            await loop.run_in_executor(self._threads, self._recognizer.load)

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
        found = None
        if self._recognizer is not None:
            found = self._recognizer.recognize(picture.image(max_side=OBJECT_SIDE))
        seen = _Seen(measured=measured, lines=lines, shown=sure_object(found or []))
        raw = {**dataclasses.asdict(measured), "text": one_line(lines or [])}
        if found is not None:
            raw["objects"] = [{"name": each.name, "probability": each.probability} for each in found]
        return Reply(
            text=_reply_text(prompt, seen),
            model=self.name,
            finish_reason="stop",
            seconds=time.perf_counter() - start,
            raw=raw,
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """``lines`` is the text in the picture, None where text is not read; ``shown`` a sure object, if any."""

    measured: Measurements
    lines: list[str] | None
    shown: RecognizedObject | None

    @property
    def tags(self) -> list[str]:
        return tags(self.measured, self.shown.name if self.shown else "")

    def prose(self, form: str) -> str:
        write = short_caption if form == "short" else long_caption
        caption = write(self.measured, self.shown.phrase if self.shown else "")
        return f'{caption} The text reads "{one_line(self.lines)}".' if self.lines else caption


def _reply_text(prompt: Prompt, seen: _Seen) -> str:
    if prompt.schema and (fields := _fields(prompt.schema, seen)):
        return orjson.dumps(fields).decode()
    if prompt.name == _TRANSCRIPTION and seen.lines is not None:
        reply = "\n".join(seen.lines) or _NO_TEXT
    else:
        form = _form(prompt)
        reply = ", ".join(seen.tags) if form == "tags" else seen.prose(form)
    # A regex such as <caption>(.*)</caption> tells how to wrap the reply.
    wrapper = _WRAPPER.search(prompt.regex) if prompt.regex else None
    return f"<{wrapper[1]}>{reply}</{wrapper[1]}>" if wrapper else reply


def _form(prompt: Prompt) -> str:
    texts = (text.replace("_", "-") for text in (prompt.name, f"{prompt.prefix} {prompt.suffix}"))
    return next((form for text in texts for form, words in _FORMS.items() if words.search(text)), "long")


def _fields(schema: dict[str, Any], seen: _Seen) -> dict[str, Any]:
    """The properties of ``schema`` that can be filled, in its order."""
    lists = {"tags": seen.tags, "colours": [swatch.name for swatch in seen.measured.palette]}
    texts = {form: seen.prose(form) for form in ("long", "short")}
    if seen.lines is not None:
        texts["text"] = one_line(seen.lines)
    fields: dict[str, Any] = {}
    for name, described in schema.get("properties", {}).items():
        content = _FIELDS.get(name.lower(), "")
        is_list = isinstance(described, dict) and described.get("type") == "array"  # true is a schema too
        if content in lists:
            fields[name] = lists[content] if is_list else ", ".join(lists[content])
        elif content in texts and not is_list:
            fields[name] = texts[content]
    return fields
