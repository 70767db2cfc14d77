"""Try a model on one small picture, and suggest a cure if that fails."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import re
import time

from cutline.captioners.factory import build_bare_endpoint
from cutline.captioners.hosted.error_responses import SEE
from cutline.captioners.hosted.nvidia_models import HOSTED
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.captioners.pool import build_captioner
from cutline.captioners.spec import CaptionerOptions, Spec
from cutline.errors import CutlineError, EndpointUnusable, RequestError
from cutline.formatting import nearest
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.locations.stored import InlineBytes
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.terminal import Console

_QUESTION = "Which colour is the large shape in this picture? Answer in one short sentence."
_MAX_TOKENS = 300
_MAX_LISTED = 8
_RED = re.compile(r"\b(?:red|reddish|crimson|scarlet|ruby|maroon)", re.IGNORECASE)
_ABOUT_THE_MODEL = frozenset({400, 404, 415, 422, 500})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelCheck:
    """The result, and a line about it. ``unreachable``: no server answers there."""

    line: str
    works: bool
    unreachable: bool = False


def check_model(text: str, options: CaptionerOptions) -> ModelCheck:
    """Try the model of that name; raises ConfigError for an invalid one."""
    spec = Spec.parse(text, endpoint=options.endpoint)
    if spec.preset is not None:
        options = dataclasses.replace(options, options={**options.options, "max_tokens": _MAX_TOKENS})
    start = time.perf_counter()
    try:
        captioner = build_captioner(text, options)
        reply = asyncio.run(_ask(captioner))
    except CutlineError as error:
        unreachable = isinstance(error, EndpointUnusable) and error.kind == "unreachable"
        # This is that check.
        message, advice = str(error).replace(SEE, ""), asyncio.run(_advice(error, text, options))
        if advice:
            message = f"{message}{'' if message.endswith(('?', '.')) else '.'} {advice}"
        return ModelCheck(line=f"✗ {spec.provider}: {message}", works=False, unreachable=unreachable)
    text = " ".join(reply.text.split())
    if spec.preset is not None and not _RED.search(text):
        text += " · The picture shows a red disc: does this model take pictures?"
    return ModelCheck(
        line=f"✓ {captioner.name} replied in {time.perf_counter() - start:.1f} s: {text}", works=True
    )


async def _ask(captioner: Captioner) -> Reply:
    try:
        prompt = Prompt(prefix=_QUESTION)
        await captioner.open(lambda line: Console(stderr=True, highlight=False).print(line, markup=False))
        prompt = captioner.profile.default_prompt or prompt
        return await captioner.caption(Picture(InlineBytes(_disc(), "a red disc")), prompt)
    finally:
        await captioner.aclose()


async def _advice(error: CutlineError, text: str, options: CaptionerOptions) -> str:
    """What may help, in addition to the error message; may be empty."""
    if isinstance(error, RequestError) and error.kind == "timeout":
        return "Wait longer with --timeout"
    if not isinstance(error, RequestError | EndpointUnusable):
        return ""
    endpoint = build_bare_endpoint(text, options) if error.status in _ABOUT_THE_MODEL else None
    if endpoint is None:
        return ""
    try:
        return await _advice_of(endpoint, error.status) if isinstance(endpoint, OpenAIChat) else ""
    except CutlineError:  # the first error is all there is
        return ""
    finally:
        await endpoint.aclose()


async def _advice_of(endpoint: OpenAIChat, status: int | None) -> str:
    """Compare the model's name with those the service lists, and try it without a picture."""
    if await endpoint.answers_words():
        return "It replies without a picture, so it does not take pictures: choose a model that does"
    model, preset = endpoint.request_info.model, endpoint.request_info.preset
    offered: list[str] = []
    with contextlib.suppress(CutlineError):
        offered = await endpoint.models()
    own = sorted(HOSTED) if preset.name == "nvidia" else []
    if model in offered or not (offered or own):
        return "" if status == 404 else "Does this model take pictures?"
    close = nearest(model, [*own, *offered], most=3)
    suggestion = f"Did you mean {' or '.join(close)}?" if close else ""
    more = ", …" if len(offered) > _MAX_LISTED else ""
    listed = f"The endpoint lists {', '.join(offered[:_MAX_LISTED])}{more}" if offered else ""
    return f"{suggestion} {listed}".strip()


def _disc() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 216, 216), fill=(220, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
