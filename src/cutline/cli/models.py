"""``cutline models``: list the models, or check some."""

from __future__ import annotations

import sys
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.text import Text

from cutline.captioners.factory import CaptionerOptions, Spec, find_key
from cutline.captioners.hosted.presets import PRESETS, Preset
from cutline.captioners.plugins import load_plugins
from cutline.cli.common_options import ServiceKey
from cutline.cli.model_check import check_model
from cutline.cli.model_list import list_models
from cutline.errors import ConfigError

app = cyclopts.App(name="models", help="List the models' providers, or check one.", version_flags=())
app.default(list_models)


@app.command
def check(
    *specs: str,
    endpoint: str | None = None,
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
    plugin
        Python file with models of your own, which is run.
    """
    load_plugins(plugin)
    if timeout <= 0:
        raise ConfigError(f"--timeout must be greater than 0, not {timeout:g}")
    key = service.key
    options = CaptionerOptions(key=key, endpoint=endpoint, timeout=timeout, retries=0, patience=timeout)
    if not specs:
        return _check_all(options)
    # Wrong names are reported before any model is called.
    if len({Spec.parse(spec, endpoint=endpoint).provider for spec in specs}) > 1 and key is not None:
        raise ConfigError("--api-key is for one service, and these are several: check them one by one")
    checked = []
    for spec in specs:
        checked.append(check_model(spec, options))
        _print(checked[-1].line)
    return 0 if all(one.works for one in checked) else 1


def _check_all(options: CaptionerOptions) -> int:
    """Check every provider that is set up; those that are not set up or not running are no failure."""
    if options.key is not None or options.endpoint is not None:
        raise ConfigError("--api-key and --endpoint are for one model: give its name")
    failed = 0
    for name in ("pixels", *(preset.name for preset in PRESETS.values() if preset.name != "endpoint")):
        missing = _missing(PRESETS.get(name))
        checked = None if missing else check_model(name, options)
        if checked is None:
            _print(f"- {name}: {missing}")
        elif checked.unreachable and not PRESETS[name].key_needed:
            _print(f"- {name}: no server at {PRESETS[name].endpoint}")
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
