"""``cutline serve``: captions over HTTP."""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import json
import logging.config
import os
import socket
import sys
import tempfile
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from cutline.captioners.plugins import load_plugins
from cutline.credentials import without_credentials
from cutline.errors import ConfigError, MissingExtra


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Options that are not given come from the environment (`CUTLINE_PORT` …), then from `.env`."""

    model: str | None = None
    """The model, as for `cutline caption`. [default: pixels]"""
    endpoint: str | None = None
    """URL of an OpenAI-compatible server."""
    model_key: str | None = None
    """Key of that service; better set in its environment variable."""
    model_key_file: str | None = None
    """File that holds the key of that service, and nothing else."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    device: str | None = None
    """Where a local model runs. [default: auto]"""
    dtype: str | None = None
    """Numbers a local model computes in. [default: auto]"""
    start: bool = False
    """Start the model's own server (vllm, sglang, llamacpp, transformers-serve, ollama) with the service."""
    server_args: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    """Further options for the server that is started, in one text."""
    start_timeout: float | None = None
    """Seconds that the started server may take to respond. [default: 1800]"""
    pull: bool = False
    """Have Ollama download the model, if it is missing."""
    host: str | None = None
    """Address to listen on; any but this machine's own needs --api-key. [default: 127.0.0.1]"""
    port: int | None = None
    """Port to listen on. [default: 8000]"""
    workers: int | None = None
    """Worker processes; each loads the model. [default: 1]"""
    log_level: Literal["debug", "info", "warning", "error", "critical"] | None = None
    """Level of the log. [default: info]"""
    reload: bool = False
    """Restart when .env, a chain file, a plug-in or the source changes."""
    image_root: tuple[str, ...] = ()
    """Folder whose pictures requests may give by path; several by repetition."""
    chain: tuple[str, ...] = ()
    """Chain file that requests may select by name, or a folder of them; several by repetition."""
    allowed_host: tuple[str, ...] = ()
    """Host name that requests may use for this server, besides its address."""
    api_key: str | None = None
    """Key that clients must send; better set in CUTLINE_SERVICE_KEY."""
    api_key_file: str | None = None
    """File that holds the key that clients must send, and nothing else."""
    insecure: bool = False
    """Listen on other addresses without a key."""
    store: str | None = None
    """Database of the queue: `sqlite:///FILE` or `postgresql://…`. [default: sqlite:///cutline-jobs.db]"""
    webhook_secret: str | None = None
    """Enables `webhook_url` of jobs and signs its requests; better set in CUTLINE_WEBHOOK_SECRET."""
    webhook_secret_file: str | None = None
    """File that holds the webhooks' secret, and nothing else."""
    allow_private_webhooks: bool = False
    """Allow webhooks to private addresses, such as those of your own network."""
    allow_private_urls: bool = False
    """Fetch URLs of requests from loopback and private addresses too; every client can reach them then."""


def serve(*, options: Annotated[ServeOptions, Parameter(name="*")] = ServeOptions()) -> int:
    """Serve captions over HTTP until stopped.

    The API is described at /docs of the running service.
    """
    try:
        import uvicorn

        from cutline.service.settings import Settings
    except ImportError:
        raise MissingExtra("cutline serve", "serve") from None
    given = {
        field.name: value
        for field in dataclasses.fields(options)
        if field.name != "reload" and _is_given(value := getattr(options, field.name))
    }
    settings = Settings.read(given)
    settings.check()
    if settings.plugin and not options.plugin and not os.environ.get("CUTLINE_PLUGIN"):
        raise ConfigError("a .env file cannot name code to run: set CUTLINE_PLUGIN, or pass --plugin")
    load_plugins(settings.plugin)  # before uvicorn starts, so that errors are reported once
    settings = _in_processes(settings, reload=options.reload)
    from cutline.service.app import create_app
    from cutline.service.asgi import ENVIRONMENT
    from cutline.service.queue.schema import prepare
    from cutline.service.queue.store_lock import shared
    from cutline.service.telemetry.metrics import FOLDER

    prepare(settings.store)  # once, before a model is loaded
    # For worker processes; other users of the machine cannot read a process's environment.
    # With --reload only the options given here, as the rest may change.
    os.environ[ENVIRONMENT] = json.dumps(given) if options.reload else settings.to_json()
    if settings.workers > 1 or options.reload:
        create_app(settings)  # errors are reported here, once, and not by every worker
    _check_port(settings.host, settings.port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(shared(settings.store, _shown_model(settings)))
        if settings.workers > 1:
            counted = stack.enter_context(tempfile.TemporaryDirectory(prefix="cutline-metrics-"))
            os.environ.setdefault(FOLDER, counted)
        _run(uvicorn, settings, given if options.reload else None)
    return 0


def _in_processes(settings: Any, *, reload: bool) -> Any:
    """The settings with as many workers as are possible; raises ConfigError if several are a mistake."""
    if settings.workers == 1:
        return settings
    if reload:
        print("cutline: --reload runs one process and ignores --workers", file=sys.stderr)  # noqa: T201 - the program's output
        return settings.model_copy(update={"workers": 1})
    if settings.start:
        raise ConfigError(
            "--start starts a server for one process: remove --workers, or start the server yourself and "
            "pass --endpoint"
        )
    return settings


def _shown_model(settings: Any) -> str:
    endpoint = settings.endpoint
    return f"{settings.model} at {without_credentials(endpoint)}" if endpoint else str(settings.model)


def _is_given(value: Any) -> bool:
    """Whether an option was given; 0 is a value, such as port 0 for any free one."""
    return value is not None and value is not False and value != ()


def _check_port(host: str, port: int) -> None:
    """Raise ConfigError if the port cannot be bound, before a model is loaded."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, _, _, _, address = found[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(f"port {port} is in use: choose another with --port") from None
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}") from None


def _run(uvicorn: Any, settings: Any, reloading: dict[str, Any] | None) -> None:
    """Serve until stopped; with ``reloading`` options, restart on every change."""
    from cutline.service.telemetry.logs import log_config

    config: dict[str, Any] = {
        "factory": True,
        "http": "cutline.service.http.connections:Connection",
        "access_log": False,
        "log_config": log_config(settings.log_level, settings.lease_seconds),
        "host": settings.host,
        "port": settings.port,
        "log_level": settings.log_level,
        "server_header": False,
        "timeout_graceful_shutdown": 10,
    }
    logging.config.dictConfig(config["log_config"])
    for name in settings.unknown_variables():
        logging.getLogger("cutline.service").warning("unknown setting ignored variable=%s", name)
    app = "cutline.service.asgi:app"
    if reloading is None:
        uvicorn.run(app, workers=settings.workers, **config)
    else:
        from cutline.service.lifecycle.reload import Reload, watched_files

        Reload(uvicorn.Config(app, **config), lambda: watched_files(reloading)).run()
