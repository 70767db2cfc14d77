"""Everything about one provider: ``cutline models NAME``."""

from __future__ import annotations

import importlib.resources
import tomllib
from importlib.util import find_spec

from rich.table import Table
from rich.text import Text

from cutline import registry
from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.factory import options_of
from cutline.captioners.hosted.nvidia import MODELS_URL
from cutline.captioners.hosted.nvidia_models import HOSTED
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.interrogator.labels import PACKAGE
from cutline.captioners.transformers.families import BLIP
from cutline.captioners.transformers.family import Family, Weights
from cutline.encoders import DEFAULT_CLIP
from cutline.engine.prices import price_of
from cutline.errors import install_line
from cutline.installation import exact
from cutline.machine import has_local
from cutline.terminal import Console
from cutline.weights import is_downloaded

_READY = {"✓": "yes", "✗": "no: the key is missing", "?": "if the server is running"}
_OPTIONS = {"concurrency": "max_concurrent_requests"}
"""Captioners' names of options that differ from the command line's."""


def show_card(console: Console, name: str) -> None:
    """Print what a provider is, what it needs, its models and its parameters."""
    preset = PRESETS.get(name)
    loaded = None if preset else registry.load("captioners", name)
    if preset is not None:
        about, rows, models = preset.about, _service(preset), _service_models(preset)
    elif isinstance(loaded, Family):
        about, rows = loaded.about, _family(loaded)
        models = [
            (f"{f'{name}:{size}' if size else name} = {weights.repo}", *_download(weights))
            for size, weights in loaded.sizes.items()
        ]
    else:
        about, rows = embedded_about(name), _own(name)
        models = [(one.repo, *_download(one)) for one in OF_INTERROGATOR if name == "interrogator"]
    console.print(Text.assemble((name, "bold"), f" · {about}" if about else ""))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(label, Text(value))
    console.print(table)
    if models:
        _show_models(console, models)
    console.print()


def _show_models(console: Console, models: list[tuple[str, ...]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 2))
    heads = ("model", "licence", models[0][-1])
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in models:
        table.add_row(*map(Text, row[: len(heads)]))
    console.print(table)


def _service(preset: Preset) -> list[tuple[str, str]]:
    key = " or ".join(preset.key_env) or "none"
    state = "" if not preset.key_env else " (set)" if find_key(preset) else " (not set)"
    needed = "" if preset.key_needed or not preset.key_env else ", if the server requires one"
    rows = [
        ("endpoint", preset.address),
        ("key", f"{key}{state}{needed}"),
        ("ready", _READY[readiness(preset)]),
    ]
    if preset.name == "nvidia":
        rows[0] = ("endpoint", f"{preset.endpoint}; the models listed below at {MODELS_URL}")
    if preset.account:
        rows.append(("account", preset.account))
    if preset.start:
        rows.append(("start it", f"{preset.start}, or --start for the duration of a run"))
    rows.append(("parameters", "\n".join(f"{one.name}: {one.allowed}" for one in preset.parameters)))
    return rows


def _service_models(preset: Preset) -> list[tuple[str, ...]]:
    """The known models, the default first; the last field is the third column's title."""
    rows: list[tuple[str, ...]] = []
    if preset.name == "nvidia":
        rows.append((f"{preset.default_model} (default)", preset.licence, "", "limits"))
        for model in HOSTED.values():
            most = {parameter.name: parameter.most for parameter in model.parameters}
            limits = f"max_tokens to {most['max_tokens']:g}, temperature to {most['temperature']:g}"
            rows.append((model.name, model.licence, limits, "limits"))
        return rows
    head = "$ per million tokens, in/out"
    text = importlib.resources.files("cutline.engine").joinpath("prices.toml").read_text("utf-8")
    names = [preset.default_model, *tomllib.loads(text).get(preset.name, {})]
    for name in dict.fromkeys(filter(None, names)):
        default = name == preset.default_model
        licence = preset.licence if default or preset.licence == "hosted only" else ""
        rows.append((f"{name} (default)" if default else name, licence, price(f"{preset.name}:{name}"), head))
    return rows


def _family(family: Family) -> list[tuple[str, str]]:
    here = any(is_downloaded(weights.repo) for weights in family.sizes.values())
    ready = "yes" if here or not family.sizes else "after a download"
    rows = [("ready", ready if has_local() else _no_local())]
    if family.prompt is not None:
        rows.append(("prompt", family.prompt or "none: it describes without a prompt"))
    return [*rows, ("options", _options(family.name))]


def _download(weights: Weights) -> tuple[str, ...]:
    where = "downloaded" if is_downloaded(weights.repo) else f"{weights.gigabytes:g} GB"
    return weights.licence, where, "download"


def _own(name: str) -> list[tuple[str, str]]:
    rows = [("options", _options(name) or "none")]
    if name == "pixels":
        extra = "" if find_spec("rapidocr") else f", after {exact(install_line('ocr'))}"
        packages = (
            "" if find_spec("efficientnet_lite_pytorch") else f", after {exact(install_line('objects'))}"
        )
        both = [
            ("settings", f"pixels:ocr also reads the text in pictures{extra}"),
            ("", f"pixels:objects names an object that it is sure to recognize{packages}"),
        ]
        return [*both, *rows]
    if name != "interrogator":
        return rows
    settings = "fast (default), classic, best or negative; clip=…, labels=FOLDER, caption=MODEL, with commas"
    return [("ready", ready_interrogator()[1]), ("settings", settings), *rows]


def _options(name: str) -> str:
    return ", ".join(
        f"--{_OPTIONS.get(option, option).replace('_', '-')}"
        for option in sorted(options_of(name, endpoint=None) - {"build", "timeout"})
    )


OF_INTERROGATOR = (Weights(repo=DEFAULT_CLIP, gigabytes=1.71, licence="MIT"), BLIP.sizes["base"])
"""Its default models."""

_EMBEDDED = {
    "pixels": "measures light, colour and layout; always ready",
    "fake": "repeatable made-up captions, for trials",
    "interrogator": "phrases for image generators, by CLIP and a caption model",
}


def _no_local() -> str:
    return f"no: {exact(install_line('local'))}"


def readiness(preset: Preset) -> str:
    """A service's mark in the list."""
    return "?" if not preset.key_needed else "✓" if find_key(preset) else "✗"


def ready_interrogator() -> tuple[str, str]:
    """The interrogator's mark in the list, and the reason."""
    if not has_local():
        return "✗", _no_local()
    if find_spec(PACKAGE) is None:
        return "✗", "no: pip install --no-deps clip-interrogator, or use label files of your own"
    if all(is_downloaded(weights.repo) for weights in OF_INTERROGATOR):
        return "✓", "yes"
    return "↓", "after a download"


def price(captioner: str) -> str:
    """US dollars for a million tokens of prompt and of completion; empty if unknown."""
    known = price_of(captioner)
    if known is None:
        return ""
    return f"{known.input:.2f}/{known.output:.2f}" if known.input or known.output else "free"


def embedded_about(name: str) -> str:
    """What a built-in captioner is, or that it is a plug-in."""
    return _EMBEDDED.get(name, "plug-in")
