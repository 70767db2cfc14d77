"""A captioner for tests and trials: no model, repeatable replies, faults on request."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
import os
import random
import re
from collections.abc import Mapping
from typing import Any

from cutline.errors import ConfigError, Rejected, Retryable
from cutline.formatting import did_you_mean
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Profile
from cutline.parameters import COMMON
from cutline.prompts import Prompt
from cutline.records import JSON, Reply, Usage

_TAG = re.compile(r"<([A-Za-z][\w-]*)>.*</\1>")


class Fake(Captioner):
    """Captions by the checksum of the picture's bytes: the same bytes always get the same text.

    Settings, given as ``fake:latency=0.2,error=0.1``: ``latency`` seconds a call; shares between 0
    and 1 of pictures, chosen by their checksum, that get an ``error`` (a Python exception), are
    ``rejected``, ``hang``, get an ``empty`` reply or ``nonsense`` (not a Reply at all); ``flaky``
    pictures fail at their first call; ``slots`` is how many calls run at once.
    Where the prompt's regex looks for a tag, such as ``<caption>.*?</caption>``, the text stands within it.
    For a prompt with a schema it is JSON: texts are the usual text, the rest follows from the checksum.
    Options for models are shown in the raw reply, so that a job can be tried before a model is paid.
    """

    name = "fake"
    profile = Profile(parameters=COMMON)

    def __init__(self, settings: str = "", **options: Any) -> None:
        self._options = options
        self._settings = {"latency": 0.0, "slots": 64.0}
        self._shares = dict.fromkeys(("error", "rejected", "hang", "empty", "nonsense", "flaky"), 0.0)
        for item in filter(None, settings.split(",")):
            name, _, value = item.partition("=")
            target = self._settings if name in self._settings else self._shares
            if name not in target:
                known = (*self._settings, *self._shares)
                hint = did_you_mean(name, known)
                raise ConfigError(f"fake has no setting {name!r}{hint}; it has {', '.join(known)}")
            try:
                target[name] = float(value)
            except ValueError:
                raise ConfigError(f"fake's {name} must be a number, not {value!r}") from None
        self._check()
        self._failed: set[bytes] = set()

    def _check(self) -> None:
        for name, share in self._shares.items():
            if not 0 <= share <= 1:
                raise ConfigError(f"fake's {name} is a share between 0 and 1, not {share:g}")
        if not (self._settings["latency"] >= 0 and 1 <= self._settings["slots"] <= 1e6):
            raise ConfigError("fake's latency must not be negative, and its slots at least 1")

    def adjusted(self, parameters: Mapping[str, Any]) -> Fake:
        """The same fake, which shows the new parameters."""
        other = copy.copy(self)
        other._options = {**self._options, **parameters}  # noqa: SLF001 - one of our own
        return other

    @property
    def slots(self) -> int:
        return int(self._settings["slots"])

    def check_prompt(self, prompt: Prompt) -> None:
        """Every prompt is taken."""

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        digest = hashlib.blake2b(picture.data, digest_size=8).digest()
        if self._settings["latency"]:
            await asyncio.sleep(self._settings["latency"])
        fault = self._fault(digest)
        if fault == "error":
            raise RuntimeError("the fake captioner broke, as requested")
        if fault == "rejected":
            raise Rejected("rejected", "the fake captioner rejected the picture, as requested", status=400)
        if fault == "hang":
            await asyncio.sleep(3600)
        if fault == "flaky" and digest not in self._failed:
            self._failed.add(digest)
            raise Retryable("endpoint", "the fake captioner was busy, as requested", status=500)
        if fault == "nonsense":
            return None  # type: ignore[return-value]  # the point of it
        text = f"A picture with checksum {digest.hex()}, prompted by {prompt.name}."
        text = "" if fault == "empty" else text
        tag = _TAG.search(prompt.regex or "")
        if tag is not None and text:
            text = f"<{tag[1]}>{text}</{tag[1]}>"
        if prompt.schema is not None and text:
            chance = random.Random(digest + f"{prompt.system}\n{prompt.prefix}".encode())  # noqa: S311 - repeatable
            text = json.dumps(_example(prompt.schema, text, chance))
        size = len(picture.data)
        return Reply(
            text=text,
            model="fake",
            usage=Usage(prompt_tokens=size // 1000, completion_tokens=len(text.split())),
            finish_reason="stop",
            seconds=self._settings["latency"],
            raw={"text": text, "bytes": size, "process": os.getpid(), "options": self._options},
        )

    def _fault(self, digest: bytes) -> str | None:
        place = int.from_bytes(digest, "big") / 2**64
        for name, share in self._shares.items():
            if place < share:
                return name
            place -= share
        return None

    async def aclose(self) -> None:
        """Nothing is held."""


def _example(schema: JSON, text: str, chance: random.Random) -> Any:
    """A value that is valid against a usual schema; its strings are ``text``."""
    if "enum" in schema:
        return chance.choice(schema["enum"])
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: _example(own, text, chance) for name, own in schema.get("properties", {}).items()}
    if kind == "array":
        return [_example(schema.get("items", {}), text, chance)] * max(1, schema.get("minItems", 1))
    if kind in {"integer", "number"}:
        low = schema.get("minimum", 0)
        return chance.randint(low, schema.get("maximum", low + 10))
    return {"boolean": chance.random() < 1 / 2, "null": None}.get(kind, text[: schema.get("maxLength")])
