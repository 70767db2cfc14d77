"""``cutline models``: who can be asked, and whether that works from here."""

from __future__ import annotations

import sys
from typing import Annotated

import cyclopts
from rich.console import Console
from rich.text import Text

from cutline.captioners.factory import CaptionerOptions, Spec, find_key
from cutline.captioners.hosted.presets import PRESETS, Preset
from cutline.captioners.plugins import load_plugins
from cutline.cli.model_check import check_model
from cutline.cli.model_list import list_models
from cutline.cli.service_key import ServiceKey
from cutline.errors import ConfigError

app = cyclopts.App(name="models", help="List the models' providers, or check one.", version_flags=())
app.default(list_models)


@app.command
def check(
    *specs: str,
    endpoint: str | None = None,
    service: Annotated[ServiceKey, cyclopts.Parameter(name="*")] = ServiceKey(),  # noqa: B008 - frozen
    plugin: tuple[str, ...] = (),
    timeout: Annotated[float, cyclopts.Parameter(help="Seconds to wait for an answer.")] = 60.0,
) -> int:
    """Ask models about one small picture, and say what to do where that fails.

    Parameters
    ----------
    specs
        The models, as given to --model. Without any, one of every provider that is set up here.
    endpoint
        URL of an OpenAI-compatible server.
    plugin
        Python file with models of your own, which is run.
    """
    load_plugins(plugin)
    if timeout <= 0:
        raise ConfigError(f"--timeout must be greater than 0, not {timeout:g}")
    key = service.key
    asking = CaptionerOptions(key=key, endpoint=endpoint, timeout=timeout, retries=0, patience=timeout)
    if not specs:
        return _check_all(asking)
    # Names that mean nothing are told before anybody is asked.
    if len({Spec.parse(spec, endpoint=endpoint).provider for spec in specs}) > 1 and key is not None:
        raise ConfigError("--api-key goes to one service, and here are several: check them one by one")
    checked = []
    for spec in specs:
        checked.append(check_model(spec, asking))
        _say(checked[-1].line)
    return 0 if all(one.works for one in checked) else 1


def _check_all(asking: CaptionerOptions) -> int:
    """Check whatever needs no more than is here; what is not set up, or not running, is no failure."""
    if asking.key is not None or asking.endpoint is not None:
        raise ConfigError("--api-key and --endpoint are for one model: name it")
    failed = 0
    for name in ("pixels", *(preset.name for preset in PRESETS.values() if preset.name != "endpoint")):
        missing = _missing(PRESETS.get(name))
        checked = None if missing else check_model(name, asking)
        if checked is None:
            _say(f"- {name}: {missing}")
        elif checked.unreachable and not PRESETS[name].key_needed:
            _say(f"- {name}: no server at {PRESETS[name].endpoint}")
        else:
            failed += not checked.works
            _say(checked.line)
    return 1 if failed else 0


def _missing(preset: Preset | None) -> str:
    """What must be there before a provider can be asked; empty where nothing is missing."""
    if preset is None:
        return ""
    if preset.key_needed and find_key(preset) is None:
        return f"not set up: it needs {' or '.join(preset.key_env)}"
    if not preset.default_model:
        return f"name a model: cutline models check {preset.name}:NAME"
    return ""


def _say(line: str) -> None:
    Console(highlight=False, soft_wrap=True, file=sys.stdout).print(Text(line))
