"""Asking a model about one small picture, and saying what to do where that fails."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import difflib
import io
import re
import time

from rich.console import Console

from cutline.captioners.factory import CaptionerOptions, Spec, build_bare_endpoint, build_captioner
from cutline.captioners.hosted.nvidia_models import HOSTED
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.errors import CutlineError, EndpointUnusable, RequestError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.records import Reply

_QUESTION = "Which colour is the large shape in this picture? Answer in one short sentence."
_ANSWER_TOKENS = 300
_SHOWN = 8
_RED = re.compile(r"\b(?:red|reddish|crimson|scarlet|ruby|maroon)", re.IGNORECASE)
_ABOUT_THE_MODEL = frozenset({400, 404, 415, 422, 500})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How it went; ``line`` tells it. ``unreachable``: nobody is there."""

    line: str
    works: bool
    unreachable: bool = False


def check_model(text: str, asking: CaptionerOptions) -> Checked:
    """Ask the model of that name.

    Raises:
        ConfigError: it is no name.
    """
    spec = Spec.parse(text, endpoint=asking.endpoint)
    if spec.preset is not None:
        asking = dataclasses.replace(asking, options={"max_tokens": _ANSWER_TOKENS})
    start = time.perf_counter()
    try:
        captioner = build_captioner(text, asking)
        reply = asyncio.run(_ask(captioner))
    except CutlineError as error:
        unreachable = isinstance(error, EndpointUnusable) and error.kind == "unreachable"
        told, advice = str(error), asyncio.run(_advice(error, text, asking))
        if advice:
            told = f"{told}{'' if told.endswith(('?', '.')) else '.'} {advice}"
        return Checked(line=f"✗ {spec.provider}: {told}", works=False, unreachable=unreachable)
    said = " ".join(reply.text.split())
    if spec.preset is not None and not _RED.search(said):
        said += " · It was asked for the colour of a red disc: does it take pictures?"
    return Checked(
        line=f"✓ {captioner.name} answered in {time.perf_counter() - start:.1f} s: {said}", works=True
    )


async def _ask(captioner: Captioner) -> Reply:
    try:
        prompt = Prompt(prefix=_QUESTION)
        await captioner.open(lambda line: Console(stderr=True, highlight=False).print(line, markup=False))
        prompt = captioner.profile.default_prompt or prompt
        return await captioner.caption(Picture(InlineBytes(_disc(), "a red disc")), prompt)
    finally:
        await captioner.aclose()


async def _advice(error: CutlineError, text: str, asking: CaptionerOptions) -> str:
    """What may help, in a sentence or more, where the message alone does not tell."""
    if isinstance(error, RequestError) and error.kind == "timeout":
        return "--timeout waits longer"
    if not isinstance(error, RequestError | EndpointUnusable):
        return ""
    endpoint = build_bare_endpoint(text, asking) if error.status in _ABOUT_THE_MODEL else None
    if endpoint is None:
        return ""
    try:
        return await _advice_of(endpoint, error.status) if isinstance(endpoint, OpenAIChat) else ""
    except CutlineError:  # then there is no more to say than what went wrong before
        return ""
    finally:
        await endpoint.aclose()


async def _advice_of(endpoint: OpenAIChat, status: int | None) -> str:
    """What the service itself says of a model that it did not answer by."""
    if await endpoint.answers_words():
        return "It answers without a picture, so it takes none: choose a model that takes pictures"
    model, preset = endpoint.asked.model, endpoint.asked.preset
    offered = await _offered(endpoint)
    own = sorted(HOSTED) if preset.name == "nvidia" else []
    if model in offered or not (offered or own):
        return "" if status == 404 else "Does this model take pictures?"
    close = difflib.get_close_matches(model, [*own, *offered], n=3)
    meant = f"Did you mean {' or '.join(close)}?" if close else ""
    more = ", …" if len(offered) > _SHOWN else ""
    listed = f"The endpoint lists {', '.join(offered[:_SHOWN])}{more}" if offered else ""
    return f"{meant} {listed}".strip()


async def _offered(endpoint: OpenAIChat) -> list[str]:
    with contextlib.suppress(CutlineError):
        return await endpoint.models()
    return []


def _disc() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 216, 216), fill=(220, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
