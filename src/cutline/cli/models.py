"""``cutline models``: who can be asked, and whether that works from here."""

from __future__ import annotations

import asyncio
import io
import time
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline import registry
from cutline.captioners.building import Asking, Spec, build_captioner, find_key
from cutline.captioners.openai import Parameters
from cutline.captioners.presets import PRESETS, Preset
from cutline.captioners.secrets import Secret
from cutline.errors import CutlineError
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Reply
from cutline.sources.locations import InlineBytes

app = cyclopts.App(name="models", help="List the models' providers, or check one.", version_flags=())
_EMBEDDED = {
    "pixels": "describes light, colour, layout and text; no model, no key, always ready",
    "fake": "for trying things out: repeatable answers, faults on request",
}


@app.default
def list_models() -> int:
    """List the providers: what each needs, and whether that is there."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("--model", "what it is", "needs", "ready"):
        table.add_column(name, overflow="fold", no_wrap=name in {"--model", "ready"})
    for name in registry.names("captioners"):
        table.add_row(Text(name), Text(_EMBEDDED.get(name, "plug-in")), "nothing", "yes")
    for preset in PRESETS.values():
        if preset.name != "endpoint":
            model = preset.default_model or "MODEL"
            table.add_row(
                Text(f"{preset.name}:{model}"), Text(preset.about), Text(_needs(preset)), _ready(preset)
            )
    table.add_row(Text("MODEL"), Text("any compatible server"), Text("--endpoint URL"), "")
    Console(highlight=False).print(table)
    return 0


@app.command
def check(
    spec: str,
    /,
    *,
    endpoint: str | None = None,
    api_key: str | None = None,
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
    """
    key = Secret(api_key) if api_key else None
    asking = Asking(key=key, endpoint=endpoint, timeout=timeout, retries=0)
    console = Console(highlight=False, soft_wrap=True)
    captioner = build_captioner(spec, asking, Parameters(max_tokens=300))
    start = time.perf_counter()
    try:
        reply = asyncio.run(_ask(captioner))
    except CutlineError as error:
        console.print(Text(f"✗ {Spec.parse(spec, endpoint=endpoint).provider}: {error}"))
        return 1
    console.print(
        Text(f"✓ {captioner.name} answered in {time.perf_counter() - start:.1f} s: {reply.text.strip()}")
    )
    return 0


async def _ask(captioner: Captioner) -> Reply:
    try:
        prompt = Prompt(
            prefix="Which colour is the large shape in this picture? Answer in one short sentence."
        )
        return await captioner.caption(Picture(InlineBytes(_disc(), "a red disc")), prompt)
    finally:
        await captioner.aclose()


def _disc() -> bytes:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (256, 256), "white")
    ImageDraw.Draw(image).ellipse((40, 40, 216, 216), fill=(220, 30, 30))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _needs(preset: Preset) -> str:
    if preset.key_needed:
        return " or ".join(preset.key_env)
    return f"a server at {preset.endpoint}"


def _ready(preset: Preset) -> str:
    if not preset.key_needed:
        return "if it runs"
    return "yes" if find_key(preset) else "no key"
