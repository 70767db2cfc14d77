"""``cutline models``: list the models, or check some."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

import cyclopts
from rich.table import Table
from rich.text import Text

from cutline import registry
from cutline.captioners.endpoint_factory import find_key
from cutline.captioners.hosted.preset import Preset
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins import load_plugins
from cutline.captioners.spec import CaptionerOptions, Spec, meant, providers
from cutline.captioners.transformers.family import Family
from cutline.cli.common_options import ServiceKey
from cutline.cli.model_card import embedded_about, price, readiness, ready_interrogator, show_card
from cutline.cli.model_check import check_model
from cutline.endpoint_headers import check_headers
from cutline.errors import ConfigError, install_line
from cutline.installation import exact
from cutline.machine import has_local
from cutline.terminal import Console
from cutline.weights import is_downloaded

app = cyclopts.App(name="models", help="List the models' providers, or check one.", version_flags=())


@app.command
def check(
    *specs: str,
    endpoint: str | None = None,
    header: Annotated[tuple[str, ...], cyclopts.Parameter(negative=())] = (),
    query: Annotated[tuple[str, ...], cyclopts.Parameter(negative=())] = (),
    service: Annotated[ServiceKey, cyclopts.Parameter(name="*")] = ServiceKey(),  # noqa: B008 - frozen
    plugin: tuple[str, ...] = (),
    timeout: Annotated[float, cyclopts.Parameter(help="Seconds to wait for a reply.")] = 60.0,
) -> int:
    """Try models on one small picture, and suggest a cure for those that fail.

    Parameters
    ----------
    specs
        Models, as for --model. Without any, the default model of every provider that is set up.
    endpoint
        URL of an OpenAI-compatible server.
    header
        Header of the requests to it, `NAME: VALUE` or 'NAME: $VARIABLE'; several by repetition.
    query
        Query parameter of these requests, `NAME=VALUE` or 'NAME=$VARIABLE'; several by repetition.
    plugin
        Python file with models of your own, which is run.
    """
    load_plugins(plugin)
    check_headers(header, query)
    if timeout <= 0:
        raise ConfigError(f"--timeout must be greater than 0, not {timeout:g}")
    key = service.key
    given = {name: values for name, values in (("header", header), ("query", query)) if values}
    options = CaptionerOptions(
        key=key, endpoint=endpoint, options=given, timeout=timeout, retries=0, patience=timeout
    )
    if not specs:
        return _check_all(options)
    # Wrong names are reported before any model is called.
    if len({Spec.parse(spec, endpoint=endpoint).provider for spec in specs}) > 1:
        for option in (*(["api-key"] if key is not None else []), *given):
            raise ConfigError(f"--{option} is for one service, and these are several: check them one by one")
    checked = []
    for spec in specs:
        checked.append(check_model(spec, options))
        _print(checked[-1].line)
    return 0 if all(one.works for one in checked) else 1


def _check_all(options: CaptionerOptions) -> int:
    """Check every provider that is set up; those that are not set up or not running are no failure."""
    if options.key is not None or options.endpoint is not None or options.options:
        raise ConfigError("--api-key, --endpoint, --header and --query are for one model: give its name")
    failed = 0
    for name in ("pixels", *(preset.name for preset in PRESETS.values() if preset.name != "endpoint")):
        missing = _missing(PRESETS.get(name))
        checked = None if missing else check_model(name, options)
        if checked is None:
            _print(f"- {name}: {missing}")
        elif checked.unreachable and not PRESETS[name].key_needed:
            _print(f"- {name}: no server at {PRESETS[name].address}")
        else:
            failed += not checked.works
            _print(checked.line)
    return 1 if failed else 0


def _missing(preset: Preset | None) -> str:
    """What a provider still needs; empty if nothing."""
    if preset is None:
        return ""
    if preset.key_needed and find_key(preset) is None:
        return f"not set up: it needs {' or '.join(preset.key_env)}"
    if not preset.default_model:
        return f"name a model: cutline models check {preset.name}:NAME"
    return ""


def _print(line: str) -> None:
    Console(highlight=False, soft_wrap=True, file=sys.stdout).print(Text(line))


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


@app.default
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
        for name in (name.partition(":")[0] for name in names):
            if name not in providers():
                raise ConfigError(
                    f"there is no provider {name!r}{meant(name, [*providers(), 'check'])}; "
                    "`cutline models` lists them, `cutline models check NAME` tries one"
                )
            show_card(console, name)
        return 0
    loaded = {name: registry.load("captioners", name) for name in registry.BUILT_IN["captioners"]}
    own = [name for name in registry.names("captioners") if not isinstance(loaded.get(name), Family)]
    marks = {"interrogator": ready_interrogator()[0]}
    _show(console, "built in", _OWN, [(marks.get(name, "✓"), name, embedded_about(name)) for name in own])
    families = [each for each in loaded.values() if isinstance(each, Family)]
    missing = "" if has_local() else f"   ({exact(install_line('local'))})"
    _show(console, f"on this machine{missing}", _LOCAL, [_local(family) for family in families])
    _show_services(console, [preset for preset in PRESETS.values() if preset.name != "endpoint"])
    console.print(_LEGEND, markup=False, soft_wrap=True)
    return 0


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
    needs = preset.key_env[0] if preset.key_needed else urlsplit(preset.address).netloc
    model = preset.default_model
    cost = price(f"{preset.name}:{model}") if model else ""
    return readiness(preset), preset.name, model or _NAME_ONE, needs, preset.licence, cost, preset.about
