"""The studio as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from fastapi import FastAPI, Request
from starlette.responses import Response

import cutline
from cutline.dataset.dataset import Dataset
from cutline.dataset.query import QueryError
from cutline.errors import CutlineError, SinkError
from cutline.service.admission import Admission
from cutline.service.http.guard import Guard
from cutline.service.http.responses import HANDLED, handle_error, json_response
from cutline.studio.events import Events
from cutline.studio.key_cookie import KeyCookie
from cutline.studio.listed_dataset import ListedDataset
from cutline.studio.routes import (
    captions,
    compare,
    edits,
    embedding_map,
    exports,
    folders,
    generation,
    lint,
    pages,
    pictures,
    place,
    proposals,
    rows,
    sets,
    state,
    vocabulary,
    words,
)
from cutline.studio.settings import StudioSettings
from cutline.studio.workspace import Workspace

Opened = Callable[[Dataset | CutlineError], None]


def create_app(
    settings: StudioSettings,
    dataset: Dataset | ListedDataset | None = None,
    *,
    empty: str | None = None,
    opened: Opened = lambda _: None,
) -> FastAPI:
    """The application, which shows ``dataset`` and closes it at the end; raises ConfigError.

    One that is being listed is shown once it is; ``opened`` is called with it then, or with the error.
    ``empty``: a folder without pictures, for which the page says what can be done.
    """
    settings.check()
    events = Events()
    workspace = Workspace(events, settings, empty)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        events.open()
        taking = None
        if isinstance(dataset, ListedDataset):
            taking = asyncio.create_task(_take(workspace, dataset, opened))
        elif dataset is not None:
            await workspace.show(dataset)
        try:
            yield
        finally:
            events.close()
            if taking is not None:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)
            await workspace.close()

    app = FastAPI(
        title="cutline studio",
        version=cutline.__version__,
        description="Captions of a dataset, seen and edited.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings, app.state.workspace, app.state.events = settings, workspace, events
    admission = Admission(max_waiting=1000, max_bytes=512_000_000)
    app.add_middleware(Guard, settings=settings, admission=admission, pages=pages.PATHS)
    app.add_middleware(KeyCookie)
    served = (
        state,
        folders,
        rows,
        captions,
        pictures,
        edits,
        exports,
        compare,
        generation,
        proposals,
        vocabulary,
        sets,
        words,
        lint,
        embedding_map,
        place,
        pages,
    )
    for router in served:
        app.include_router(router.router)
    for error in HANDLED:
        app.add_exception_handler(error, handle_error)
    app.add_exception_handler(QueryError, _not_parsed)
    app.add_exception_handler(SinkError, _not_written)
    return app


async def _take(workspace: Workspace, opening: ListedDataset, opened: Opened) -> None:
    """Show what is being opened; why it cannot be is shown by the pages."""
    try:
        opened(await workspace.take(opening))
    except CutlineError as error:
        workspace.fail(error)
        opened(error)


async def _not_parsed(_: Request, error: Exception) -> Response:
    """A query with the characters at fault, which the page marks."""
    assert isinstance(error, QueryError)
    return json_response({"detail": str(error), "start": error.start, "end": error.end}, 422)


async def _not_written(_: Request, error: Exception) -> Response:
    """A full disk or a folder that cannot be written to: the page shows why, and tries again."""
    return json_response({"detail": str(error)}, 507)
