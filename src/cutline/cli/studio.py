"""``cutline studio``: the captions of a folder, seen and edited in the browser."""

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

from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, outcome, print_superseded
from cutline.cli.ports import check_port
from cutline.dataset.dataset import Dataset
from cutline.errors import CutlineError, MissingExtra
from cutline.terminal import print_line

try:
    import uvicorn

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
    """Do not open the browser, which is opened where the command runs at a terminal."""
    root: tuple[Path, ...] = ()
    """Folder that the page may open, with those below it; several by repetition. Besides FOLDER, or in place
    of the working folder."""
    endpoint: tuple[str, ...] = ()
    """Server that captions may come from, where other machines use the studio; several by repetition."""
    chain: tuple[Path, ...] = ()
    """Chain file, or folder of them, that the page offers by name; several by repetition."""
    plugin: tuple[str, ...] = ()
    """Python file with models of your own, which is run; several by repetition."""
    api_key: Annotated[str | None, Parameter(env_var="CUTLINE_SERVICE_KEY")] = None
    """Key that the page asks for; better set in CUTLINE_SERVICE_KEY."""
    insecure: bool = False
    """Listen on other addresses without a key."""
    allowed_host: tuple[str, ...] = ()
    """Host name that requests may use for this server, besides its address."""


_DEFAULTS: Final = StudioOptions()
_PATIENCE: Final = 1.0  # seconds to list the folder before the studio responds


class _Server(uvicorn.Server):
    """Prints the address, and opens it in the browser, as soon as it responds."""

    opens = False
    events: Events | None = None

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
    """None: the page says what to do without pictures. A large folder is listed while the studio responds."""
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


def _report(found: Dataset | CutlineError) -> None:
    """What there is to know of a dataset that was opened, or why it was not."""
    if isinstance(found, CutlineError):
        print_line(str(found))
        return
    for result in found.recovered:
        print_line(f"finished an interrupted edit: {outcome(result)}")
    print_superseded(found)


def _roots(named: tuple[Path, ...], folder: str | None) -> tuple[Path, ...]:
    """What the page may open: the folder that is named too, or the working folder where nothing is."""
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


def studio(
    folder: Input | None = None,
    /,
    *,
    options: Annotated[StudioOptions, Parameter(name="*")] = _DEFAULTS,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """See and edit captions in the browser, until stopped."""
    settings = _settings(folder, options, dataset)
    settings.check()
    check_port(settings.host, settings.port)
    found = _open(settings, folder)
    if isinstance(found, Dataset):
        _report(found)
    app = create_app(settings, found, empty=None if found is not None else folder, opened=_report)
    server = _Server(
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
    server.events = app.state.events
    server.opens = sys.stdout.isatty() and not options.no_open
    with contextlib.suppress(KeyboardInterrupt):  # raised again once all is closed
        server.run()
    return 0
