"""``cutline models``: every captioner, what it needs, and whether that is here."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline import registry
from cutline.captioners.hosted.presets import PRESETS, Preset
from cutline.captioners.plugins import load_plugins
from cutline.captioners.spec import meant, providers
from cutline.captioners.transformers.family import Family
from cutline.cli.model_card import show_card
from cutline.cli.model_facts import embedded_about, has_local, price, readiness, ready_interrogator
from cutline.errors import ConfigError
from cutline.weights import is_downloaded

_STYLES = {"✓": "green", "✗": "red", "?": "yellow", "↓": "cyan"}
_NAME_ONE = "(name one)"
_OWN = ("", "name", "what it is")
_LOCAL = ("", "name", "models, GB to download", "licence", "what it writes")
_SERVICES = ("", "name", "model when none is named", "needs", "licence", "$ in/out", "what it is")
_PROSE = 26  # columns that a few words want
_LEGEND = """$ in/out: US dollars a million tokens of question and answer, where known

✓ ready   ↓ after a download   ? if its server runs   ✗ extra or key missing

--model NAME asks it for captions, --model NAME:MODEL another of its models.
Any other compatible server: --model MODEL --endpoint URL
Any other local model: --model hf:OWNER/NAME or hf:FOLDER
More of one: cutline models NAME
Try one on a small picture, to be told what is wrong: cutline models check NAME"""


def list_models(*names: str, plugin: tuple[str, ...] = ()) -> int:
    """List who can be asked: what each needs, its licence and price, and whether it is ready here.

    Parameters
    ----------
    names
        Tell all of these providers alone.
    plugin
        Python file with models of your own, which is run.
    """
    load_plugins(plugin)
    console = Console(highlight=False)
    if names:
        for name in map(_provider, names):
            show_card(console, name)
        return 0
    loaded = {name: registry.load("captioners", name) for name in registry.BUILT_IN["captioners"]}
    _show(console, "in this program", _OWN, [_embedded(name) for name in _outside(loaded)])
    families = [made for made in loaded.values() if isinstance(made, Family)]
    missing = "" if has_local() else "   (pip install 'cutline[local]')"
    _show(console, f"on this machine{missing}", _LOCAL, [_local(family) for family in families])
    _show_services(console, [preset for preset in PRESETS.values() if preset.name != "endpoint"])
    console.print(_LEGEND, markup=False, soft_wrap=True)
    return 0


def _provider(text: str) -> str:
    """The provider of a name, which may name a model too.

    Raises:
        ConfigError: there is none; names those that it may have been meant to be.
    """
    name = text.partition(":")[0]
    if name not in providers():
        raise ConfigError(
            f"there is no provider {name!r}{meant(name, [*providers(), 'check'])}; "
            "`cutline models` lists them, `cutline models check NAME` tries one"
        )
    return name


def _outside(loaded: dict[str, object]) -> list[str]:
    """What is neither a local model nor a service: our own captioners, and plug-ins."""
    families = {name for name, made in loaded.items() if isinstance(made, Family)}
    return [name for name in registry.names("captioners") if name not in families]


def _show_services(console: Console, presets: list[Preset]) -> None:
    """The table of services; their usual models stand below it where they have no room beside the rest."""
    rows = [_service(preset) for preset in presets]
    if console.measure(_table(_SERVICES[:-1], rows)).maximum + _PROSE <= console.width:
        _show(console, "at a service", _SERVICES, rows)
        return
    _show(console, "at a service", (*_SERVICES[:2], *_SERVICES[3:]), [(*row[:2], *row[3:]) for row in rows])
    named = [(row[0], row[1], row[2]) for row in rows if row[2] != _NAME_ONE]
    _show(console, "asked there when no model is named", ("", "name", "model"), named)


def _show(console: Console, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table, without what its last column tells in words where these have no room."""
    if len(heads) > 3 and console.measure(_table(heads[:-1], rows)).maximum + _PROSE > console.width:
        heads = heads[:-1]
    console.print(Text(title, style="bold underline"))
    console.print(_table(heads, rows))
    console.print()


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    """The first columns of the rows, as many as there are heads."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head in {"", "name", "needs", "$ in/out"})
    for row in rows:
        mark, name, *others = row[: len(heads)]
        table.add_row(Text(mark, style=_STYLES[mark]), Text(name, style="bold"), *map(Text, others))
    return table


def _embedded(name: str) -> tuple[str, ...]:
    ready = ready_interrogator()[0] if name == "interrogator" else "✓"
    return ready, name, embedded_about(name)


def _local(family: Family) -> tuple[str, ...]:
    """The family's row; a model that is here needs no download, so its size is not told."""
    here = {size for size, weights in family.sizes.items() if is_downloaded(weights.repo)}
    models = [
        f"{size or family.name} {'(here)' if size in here else f'{weights.gigabytes:g}'}"
        for size, weights in family.sizes.items()
    ]
    ready = "✗" if not has_local() else "✓" if here or not family.sizes else "↓"
    licences = dict.fromkeys(weights.licence for weights in family.sizes.values())
    return ready, family.name, ", ".join(models) or _NAME_ONE, ", ".join(licences), family.about


def _service(preset: Preset) -> tuple[str, ...]:
    needs = preset.key_env[0] if preset.key_needed else urlsplit(preset.endpoint).netloc
    asked = preset.default_model
    cost = price(f"{preset.name}:{asked}") if asked else ""
    return readiness(preset), preset.name, asked or _NAME_ONE, needs, preset.licence, cost, preset.about
