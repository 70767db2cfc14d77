"""``cutline studio``: the captions of a folder, seen and edited in the browser."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from cutline.errors import MissingExtra
from cutline.files import check_folder

try:
    import uvicorn

    from cutline.studio.app import create_app
    from cutline.studio.settings import StudioSettings
except ImportError:
    raise MissingExtra("cutline studio", "studio") from None


def studio(
    folder: Annotated[str | None, Parameter(help="Folder of pictures.")] = None,
    /,
    *,
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on.")] = 8642,
) -> int:
    """See and edit the captions of a folder in the browser, until stopped."""
    if folder is not None:
        check_folder(folder)  # before the server starts, which would log a traceback
    settings = StudioSettings(host=host, port=port)
    app = create_app(settings, folder)
    uvicorn.run(
        app,
        host=host,
        port=port,
        http="cutline.service.http.connections:Connection",
        ws="none",
        access_log=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=2,
    )
    return 0
