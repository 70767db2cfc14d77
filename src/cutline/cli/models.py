"""``cutline models``: who can be asked, and whether that works from here."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import time
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.text import Text

from cutline.captioners.building import Asking, Spec, build_captioner, build_endpoint
from cutline.captioners.plugins import load_plugins
from cutline.captioners.secrets import Secret
from cutline.cli.model_list import list_models
from cutline.errors import ConfigError, CutlineError, Rejected, RequestError
from cutline.imaging import Picture
from cutline.interfaces import Captioner, Opening
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.sources.locations import InlineBytes

app = cyclopts.App(name="models", help="List the models' providers, or check one.", version_flags=())
app.default(list_models)


@app.command
def check(
    spec: str,
    /,
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
    plugin: tuple[str, ...] = (),
    timeout: Annotated[float, cyclopts.Parameter(help="Seconds to wait for the answer.")] = 60.0,
) -> int:
    """Ask a model about one small picture, and say what is wrong if that fails.

    Parameters
    ----------
    spec
        The model, as given to --model.
    endpoint
        URL of an OpenAI-compatible server.
    api_key
        Key of the service; better set in its environment variable.
    plugin
        Python file with models of your own, which is run.
    """
    load_plugins(plugin)
    if timeout <= 0:
        raise ConfigError(f"--timeout must be greater than 0, not {timeout:g}")
    provider = Spec.parse(spec, endpoint=endpoint).provider
    key = Secret(api_key) if api_key else None
    asking = Asking(key=key, endpoint=endpoint, timeout=timeout, retries=0, patience=timeout)
    if Spec.parse(spec, endpoint=endpoint).preset is not None:
        asking = dataclasses.replace(asking, options={"max_tokens": 300})
    console = Console(highlight=False, soft_wrap=True)
    start = time.perf_counter()
    try:
        captioner = build_captioner(spec, asking)
        reply = asyncio.run(_ask(captioner))
    except CutlineError as error:
        hint = _cure(error) or asyncio.run(_offered(Spec.parse(spec, endpoint=endpoint), asking))
        console.print(Text(f"✗ {provider}: {error}{hint}"))
        return 1
    seconds = time.perf_counter() - start
    console.print(Text(f"✓ {captioner.name} answered in {seconds:.1f} s: {' '.join(reply.text.split())}"))
    return 0


def _cure(error: CutlineError) -> str:
    """What may help, where the message alone does not tell."""
    if isinstance(error, RequestError) and error.kind == "timeout":
        return "; --timeout waits longer"
    if isinstance(error, Rejected) and error.status in {400, 415, 422}:
        return "; does this model take pictures?"
    return ""


async def _ask(captioner: Captioner) -> Reply:
    try:
        prompt = Prompt(
            prefix="Which colour is the large shape in this picture? Answer in one short sentence."
        )
        if isinstance(captioner, Opening):
            await captioner.open(lambda line: Console(stderr=True, highlight=False).print(line, markup=False))
        prompt = getattr(captioner, "default_prompt", None) or prompt
        return await captioner.caption(Picture(InlineBytes(_disc(), "a red disc")), prompt)
    finally:
        await captioner.aclose()


async def _offered(spec: Spec, asking: Asking) -> str:
    """The models that an endpoint lists, when the one asked for is not among them."""
    if spec.preset is None:
        return ""
    with contextlib.suppress(CutlineError):  # then there is no more to say than what went wrong before
        endpoint = build_endpoint(spec, spec.preset, asking)
        try:
            offered = await endpoint.models()
        finally:
            await endpoint.aclose()
        if offered and (spec.name or spec.preset.default_model) not in offered:
            more = ", …" if len(offered) > 8 else ""
            return f" The endpoint lists {', '.join(offered[:8])}{more}"
    return ""


def _disc() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 216, 216), fill=(220, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
