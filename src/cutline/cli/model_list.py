"""``cutline models``: every captioner, what it needs, and whether that is available."""

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
_SERVICES = ("", "name", "default model", "needs", "licence", "$ in/out", "what it is")
_MIN_PROSE = 26  # columns for the last column's text
_LEGEND = """$ in/out: US dollars per million tokens of prompt and completion, where known

✓ ready   ↓ after a download   ? if its server runs   ✗ extra or key missing

--model NAME uses its default model, --model NAME:MODEL another one.
Any other compatible server: --model MODEL --endpoint URL
Any other local model: --model hf:OWNER/NAME or hf:FOLDER
Details of one: cutline models NAME
Try one on a small picture: cutline models check NAME"""


def list_models(*names: str, plugin: tuple[str, ...] = ()) -> int:
    """List the models: what each needs, its licence and price, and whether it is ready.

    Parameters
    ----------
    names
        Show the details of these providers.
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
    _show(console, "built in", _OWN, [_embedded(name) for name in _outside(loaded)])
    families = [each for each in loaded.values() if isinstance(each, Family)]
    missing = "" if has_local() else "   (pip install 'cutline[local]')"
    _show(console, f"on this machine{missing}", _LOCAL, [_local(family) for family in families])
    _show_services(console, [preset for preset in PRESETS.values() if preset.name != "endpoint"])
    console.print(_LEGEND, markup=False, soft_wrap=True)
    return 0


def _provider(text: str) -> str:
    """The provider in a name, which may include a model.

    Raises:
        ConfigError: it does not exist; suggests similar names.
    """
    name = text.partition(":")[0]
    if name not in providers():
        raise ConfigError(
            f"there is no provider {name!r}{meant(name, [*providers(), 'check'])}; "
            "`cutline models` lists them, `cutline models check NAME` tries one"
        )
    return name


def _outside(loaded: dict[str, object]) -> list[str]:
    """Captioners that are neither a local model nor a service: built-in ones and plug-ins."""
    families = {name for name, each in loaded.items() if isinstance(each, Family)}
    return [name for name in registry.names("captioners") if name not in families]


def _show_services(console: Console, presets: list[Preset]) -> None:
    """Print the table of services; on narrow terminals their default models follow in another table."""
    rows = [_service(preset) for preset in presets]
    if console.measure(_table(_SERVICES[:-1], rows)).maximum + _MIN_PROSE <= console.width:
        _show(console, "at a service", _SERVICES, rows)
        return
    _show(console, "at a service", (*_SERVICES[:2], *_SERVICES[3:]), [(*row[:2], *row[3:]) for row in rows])
    named = [(row[0], row[1], row[2]) for row in rows if row[2] != _NAME_ONE]
    _show(console, "default models of services", ("", "name", "model"), named)


def _show(console: Console, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """Print a table, without its last column if the terminal is too narrow for it."""
    if len(heads) > 3 and console.measure(_table(heads[:-1], rows)).maximum + _MIN_PROSE > console.width:
        heads = heads[:-1]
    console.print(Text(title, style="bold underline"))
    console.print(_table(heads, rows))
    console.print()


def _table(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Table:
    """A table of the first ``len(heads)`` columns of the rows."""
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
    """The family's row, with the sizes of models that are not downloaded yet."""
    here = {size for size, weights in family.sizes.items() if is_downloaded(weights.repo)}
    models = [
        f"{size or family.name} {'(downloaded)' if size in here else f'{weights.gigabytes:g}'}"
        for size, weights in family.sizes.items()
    ]
    ready = "✗" if not has_local() else "✓" if here or not family.sizes else "↓"
    licences = dict.fromkeys(weights.licence for weights in family.sizes.values())
    return ready, family.name, ", ".join(models) or _NAME_ONE, ", ".join(licences), family.about


def _service(preset: Preset) -> tuple[str, ...]:
    needs = preset.key_env[0] if preset.key_needed else urlsplit(preset.endpoint).netloc
    model = preset.default_model
    cost = price(f"{preset.name}:{model}") if model else ""
    return readiness(preset), preset.name, model or _NAME_ONE, needs, preset.licence, cost, preset.about
