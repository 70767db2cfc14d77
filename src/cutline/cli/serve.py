"""``cutline serve``: captions over HTTP."""

from __future__ import annotations

import contextlib
import json
import logging.config
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, TypedDict, get_origin

from cyclopts import Parameter

from cutline.captioners.plugins import load_plugins
from cutline.cli.ports import check_port
from cutline.credentials import without_credentials
from cutline.errors import ConfigError, MissingExtra
from cutline.temporary_folders import temporary_folder
from cutline.terminal import print_error

try:
    import uvicorn

    from cutline.service.settings import OPTIONS, LogFormat, LogLevel, Settings
    from cutline.service.variables import check_variables, ignored_variables
except ImportError:
    raise MissingExtra("cutline serve", "serve") from None

_NOT_STARTED: Final = 3  # exit code


def _options() -> dict[str, Any]:
    """The options by name, with their types: one for every setting that has a help text, and ``reload``."""
    options: dict[str, Any] = {}
    for name, field in Settings.model_fields.items():
        if field.description is None:
            continue
        kind: Any = field.annotation if field.annotation in {bool, int, float, LogLevel, LogFormat} else str
        if get_origin(field.annotation) is tuple:
            kind = tuple[str, ...]
        shown = f"{field.default:g}" if isinstance(field.default, float) else field.default
        text = f"{field.description} [default: {shown}]" if shown else field.description
        hyphens = name == "server_args"  # its value is options of another program
        short = "-m" if name == "model" else None
        given = Parameter(help=text, alias=short, allow_leading_hyphen=hyphens)
        options[OPTIONS.get(name, name)] = Annotated[kind, given]
        if name == "log_level":
            text = "Restart when the --env-file, a chain file, a plug-in or the source changes."
            options["reload"] = Annotated[bool, Parameter(help=text)]
    # Not shown: only there to name what takes its place.
    options["engine"] = Annotated[Literal["local", "ray"], Parameter(show=False)]
    return options


ServeOptions: Any = TypedDict("ServeOptions", _options(), total=False)  # type: ignore[misc]  # not literal


def serve(*, options: Annotated[ServeOptions, Parameter(name="*")] | None = None) -> int:
    """Serve captions over HTTP until stopped.

    The API is described at /docs of the running service. Options that are not given come from the
    environment (`CUTLINE_PORT` …), then from the file that `--env-file` names.
    """
    given: dict[str, Any] = {**(options or {})}
    if given.pop("engine", "local") == "ray":
        raise ConfigError(
            "cutline serve does not use Ray: start it on each host with one PostgreSQL as --store, behind a "
            "proxy; see docs/hosts.md"
        )
    reload = given.pop("reload", False)
    settings = Settings.read(given)
    settings.verify()
    load_plugins(settings.plugin)  # before uvicorn starts, so that errors are reported once
    settings = _in_processes(settings, reload=reload)
    from cutline.service.app import create_app
    from cutline.service.asgi import ENVIRONMENT, create
    from cutline.service.queue.schema import prepare, reserved
    from cutline.service.telemetry.metrics import FOLDER

    in_processes = settings.workers > 1 or reload
    with contextlib.ExitStack() as stack:
        # For worker processes; other users of the machine cannot read a process's environment.
        # With --reload only the options given here, as the rest may change.
        given_on = json.dumps(given) if reload else settings.to_json()
        stack.enter_context(_variable(ENVIRONMENT, given_on))
        # Errors are reported here, once, and not by every worker, nor after the database's file is made.
        app = create_app(settings) if in_processes else create()
        check_port(settings.host, settings.port)
        prepare(settings.store)  # once, before a model is loaded
        model, endpoint = settings.model, settings.endpoint
        model = f"{model} at {without_credentials(endpoint)}" if endpoint else model
        stack.enter_context(reserved(settings.store, model))
        if settings.workers > 1 and FOLDER not in os.environ:
            counted = stack.enter_context(temporary_folder("metrics"))
            stack.enter_context(_variable(FOLDER, str(counted)))
        _run(settings, None if in_processes else app, given if reload else None)
    return 0


@contextlib.contextmanager
def _variable(name: str, value: str) -> Iterator[None]:
    """A variable of the environment, for the processes that are started meanwhile."""
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name)
        if before is not None:
            os.environ[name] = before


def _in_processes(settings: Settings, *, reload: bool) -> Settings:
    """The settings with as many workers as are possible; raises ConfigError if several are a mistake."""
    if settings.workers > 1 and reload:
        print_error("--reload runs one process and ignores --workers")
        return settings.model_copy(update={"workers": 1})
    if settings.workers > 1 and settings.start:
        raise ConfigError(
            "--start starts a server for one process: remove --workers, or start the server yourself and "
            "pass --endpoint"
        )
    return settings


def _run(settings: Settings, app: Any | None, reloading: dict[str, Any] | None) -> None:
    """Serve until stopped; worker processes make the ``app`` themselves.

    With ``reloading`` options, restart on every change.
    """
    from cutline.service.telemetry.logs import log_config

    config: dict[str, Any] = {
        "factory": app is None,
        "http": "cutline.service.http.connections:Connection",
        "ws": "none",
        "access_log": False,
        "log_config": log_config(settings.log_level, settings.lease_seconds, settings.log_format),
        "timeout_keep_alive": settings.keep_alive,
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "server_header": False,
        "timeout_graceful_shutdown": 5,
    }
    logging.config.dictConfig(config["log_config"])
    log = logging.getLogger("cutline.service")
    for name in check_variables(Settings.model_fields, settings.env_file):
        log.warning("unknown setting ignored variable=%s", name)
    for name in ignored_variables(Settings.model_fields) if settings.env_file is None else ():
        log.warning("setting in .env ignored variable=%s: pass --env-file .env if that is intended", name)
    served = app or "cutline.service.asgi:create"
    if reloading is None:
        _run_until_stopped(served, settings.workers, config)
    else:
        from cutline.service.lifecycle.reload import Reload, watched_files

        Reload(uvicorn.Config(served, **config), lambda: watched_files(reloading)).run()


def _run_until_stopped(served: Any, workers: int | None, config: dict[str, Any]) -> None:
    """As uvicorn does, but without a traceback where one process is interrupted more than once."""
    from cutline.service.lifecycle.server import Server

    settings = uvicorn.Config(served, workers=workers, **config)
    if settings.workers > 1:
        uvicorn.run(served, workers=workers, **config)
        return
    server = Server(settings)
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(_NOT_STARTED)
