"""``cutline studio``: view and edit the captions of a folder in the browser."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import socket
import sys
import webbrowser
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter
from pydantic import SecretStr

from cutline.cli.dataset_options import (
    DEFAULTS,
    DatasetOptions,
    Input,
    outcome,
    print_several,
    print_superseded,
)
from cutline.cli.ports import check_port
from cutline.dataset.dataset import Dataset
from cutline.errors import CutlineError, MissingExtra
from cutline.terminal import print_line

try:
    import uvicorn
    from fastapi import FastAPI

    from cutline.service.lifecycle.server import Server
    from cutline.studio.app import create_app
    from cutline.studio.events import Events
    from cutline.studio.listed_dataset import ListedDataset
    from cutline.studio.settings import NoPictures, StudioSettings
except ImportError:
    raise MissingExtra("cutline studio", "studio") from None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StudioOptions:
    """Where the studio listens, and who may use it."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8642
    """Port to listen on; 0 takes a free one."""
    no_open: bool = False
    """Do not open the browser, as the command does at a terminal."""
    root: tuple[Path, ...] = ()
    """Folder that the page may open, with its sub-folders, in addition to FOLDER or instead of the working
    folder; several by repetition."""
    endpoint: tuple[str, ...] = ()
    """Server to request captions from, if other machines use the studio; several by repetition."""
    chain: tuple[Path, ...] = ()
    """Chain file, or folder of them, that the page offers by name; several by repetition."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    api_key: Annotated[str | None, Parameter(env_var="CUTLINE_SERVICE_KEY")] = None
    """Key that the page requires; better set in CUTLINE_SERVICE_KEY."""
    insecure: bool = False
    """Allow other addresses than loopback without a key."""
    allowed_host: tuple[str, ...] = ()
    """Host name that requests may use for this server, in addition to its address."""


_DEFAULTS: Final = StudioOptions()
_PATIENCE: Final = 1.0  # seconds to list the folder before the studio responds


class _Server(Server):
    """Prints the address, and opens it in the browser, as soon as it responds."""

    opens = False
    events: Events | None = None
    failure: Exception | None = None
    """Why the folder of the command could not be opened."""

    def fail(self, error: Exception) -> None:
        """End, as there is nothing to show."""
        self.failure, self.should_exit = error, True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self.events is not None:
            self.events.close()  # their streams would be waited for
        await super().shutdown(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit or not self.servers:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared
        url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        print_line(f"the studio is at {url}, Ctrl-C stops it")
        if self.opens:
            asyncio.get_running_loop().run_in_executor(None, webbrowser.open, url)


def _open(settings: StudioSettings, folder: str | None) -> Dataset | ListedDataset | None:
    """The dataset; None without pictures. A large folder is listed while the studio responds."""
    if folder is None:
        return None
    opening = ListedDataset(settings, folder)
    try:
        return opening.result.result(_PATIENCE)
    except FutureTimeout:
        return opening
    except NoPictures as error:
        print_line(str(error))
        return None


def _report(found: Dataset) -> None:
    """Print notes about an opened dataset."""
    for result in found.recovered:
        print_line(f"finished an interrupted edit: {outcome(result)}")
    print_superseded(found)
    print_several(found)


def _roots(named: tuple[Path, ...], folder: str | None) -> tuple[Path, ...]:
    """The folders that the page may open: the named ones, else the working folder."""
    if folder is None:
        return named or (Path.cwd(),)
    return (*named, Path(folder)) if Path(folder).is_dir() else named


def _settings(folder: str | None, options: StudioOptions, dataset: DatasetOptions) -> StudioSettings:
    from cutline.sidecars import sidecar_ending

    return StudioSettings(
        host=options.host,
        port=options.port,
        service_key=SecretStr(options.api_key) if options.api_key else None,
        insecure=options.insecure,
        allowed_host=options.allowed_host,
        roots=_roots(options.root, folder),
        endpoint=options.endpoint,
        chain=options.chain,
        plugin=options.plugin,
        ending=sidecar_ending(dataset.sidecar_ext),
        one_a_line=dataset.one_a_line,
        text_encoding=dataset.text_encoding,
        tables=dataset.tables,
    )


def _server(app: FastAPI, settings: StudioSettings) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            http="cutline.service.http.connections:Connection",
            ws="none",
            access_log=False,
            server_header=False,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
    )


def studio(
    folder: Input | None = None,
    /,
    *,
    options: Annotated[StudioOptions, Parameter(name="*")] = _DEFAULTS,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """View and edit captions in the browser, until stopped."""
    settings = _settings(folder, options, dataset)
    settings.check()
    check_port(settings.host, settings.port)
    found = _open(settings, folder)
    if isinstance(found, Dataset):
        _report(found)

    def opened(late: Dataset | Exception) -> None:
        if isinstance(late, Dataset):
            _report(late)
        elif isinstance(late, NoPictures) or (
            isinstance(late, CutlineError) and app.state.workspace.is_in_use
        ):
            print_line(str(late))
        else:
            server.fail(late)

    app = create_app(settings, found, empty=None if found is not None else folder, opened=opened)
    server = _server(app, settings)
    server.events = app.state.events
    server.opens = sys.stdout.isatty() and not options.no_open
    with contextlib.suppress(KeyboardInterrupt):  # raised again once all is closed
        server.run()
    if server.failure is not None:
        raise server.failure
    return 0
