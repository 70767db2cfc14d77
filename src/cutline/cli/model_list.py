"""``cutline models``: every captioner, what it needs, and whether that is here."""

from __future__ import annotations

from importlib.util import find_spec
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline import registry
from cutline.captioners.building import find_key
from cutline.captioners.presets import PRESETS, Preset
from cutline.captioners.transformers.families import Family
from cutline.weights import is_here

_EMBEDDED = {
    "pixels": "measures light, colour and layout; always ready",
    "fake": "repeatable made-up answers, for trying things out",
    "interrogator": "phrases for image generators, by CLIP and a caption model",
}
_STYLES = {"✓": "green", "✗": "red", "?": "yellow", "↓": "cyan"}
_LEGEND = """
✓ ready   ↓ ready after a download   ✗ not ready: the extra or the key is missing   ? ready if the server runs

--model NAME asks it for captions, --model NAME:MODEL another of its models. Any other compatible
server: --model MODEL --endpoint URL; any other local model: --model hf:OWNER/NAME or hf:FOLDER.
To try one on a small picture and be told what is wrong, if anything: cutline models check NAME"""


def list_models() -> int:
    """List who can be asked: what each needs, its licence and size, and whether it is ready here."""
    console = Console(highlight=False)
    wide = console.width >= 112
    loaded = {name: registry.load("captioners", name) for name in registry.BUILT_IN["captioners"]}
    _show(
        console, "in this program", [_embedded(name) for name in _outside(loaded)], ("", "name", "what it is")
    )
    families = [made for made in loaded.values() if isinstance(made, Family)]
    heads = ("", "name", "models, with their downloads", "licence", *(["what it writes"] if wide else []))
    missing = "" if _has_local() else "   (pip install 'cutline[local]')"
    _show(console, f"on this machine{missing}", [_local(family)[: len(heads)] for family in families], heads)
    heads = ("", "name", "model when none is named", "needs", *(["what it is"] if wide else []))
    services = [preset for preset in PRESETS.values() if preset.name != "endpoint"]
    _show(console, "at a service", [_service(preset)[: len(heads)] for preset in services], heads)
    console.print(_LEGEND, markup=False)
    return 0


def _outside(loaded: dict[str, object]) -> list[str]:
    """What is neither a local model nor a service: our own captioners, and plug-ins."""
    families = {name for name, made in loaded.items() if isinstance(made, Family)}
    return [name for name in registry.names("captioners") if name not in families]


def _show(console: Console, title: str, rows: list[tuple[str, ...]], heads: tuple[str, ...]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head in {"", "name"})
    for row in rows:
        table.add_row(Text(row[0], style=_STYLES[row[0]]), Text(row[1], style="bold"), *map(Text, row[2:]))
    console.print(Text(title, style="bold underline"))
    console.print(table)
    console.print()


def _embedded(name: str) -> tuple[str, ...]:
    ready = "✓" if name != "interrogator" or _has_local() else "✗"
    return ready, name, _EMBEDDED.get(name, "plug-in")


def _has_local() -> bool:
    return all(find_spec(name) is not None for name in ("torch", "transformers"))


def _local(family: Family) -> tuple[str, ...]:
    """The family's row; a model that is here needs no download, so its size is not told."""
    here = {size for size, weights in family.sizes.items() if is_here(weights.repo)}
    models = [
        f"{size or family.name} {'(here)' if size in here else f'{weights.gigabytes:g} GB'}"
        for size, weights in family.sizes.items()
    ]
    ready = "✗" if not _has_local() else "✓" if here or not family.sizes else "↓"
    licences = dict.fromkeys(weights.licence for weights in family.sizes.values())
    return ready, family.name, ", ".join(models) or "(name one)", ", ".join(licences), family.about


def _service(preset: Preset) -> tuple[str, ...]:
    ready = "?" if not preset.key_needed else "✓" if find_key(preset) else "✗"
    needs = preset.key_env[0] if preset.key_needed else urlsplit(preset.endpoint).netloc
    return ready, preset.name, preset.default_model or "(name one)", needs, preset.about
