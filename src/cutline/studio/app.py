"""The studio as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Final

from fastapi import FastAPI, Request
from starlette.responses import Response

import cutline
from cutline.dataset.dataset import Dataset
from cutline.dataset.query import QueryError
from cutline.errors import SinkError
from cutline.service.admission import Admission
from cutline.service.http.guard import Guard
from cutline.service.http.middleware import SlashAtEnd
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

Opened = Callable[[Dataset | Exception], None]

_ROUTES: Final = (
    *(state, folders, rows, captions, pictures, edits, exports, compare, generation, proposals),
    *(vocabulary, sets, words, lint, embedding_map, place, pages),
)


def create_app(
    settings: StudioSettings,
    dataset: Dataset | ListedDataset | None = None,
    *,
    empty: str | None = None,
    opened: Opened = lambda _: None,
) -> FastAPI:
    """The application, which shows ``dataset`` and closes it at the end; raises ConfigError.

    A dataset that is being listed is shown afterwards; ``opened`` is called with it, or with the error.
    ``empty``: a folder without pictures, for which the page shows what to do.
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
        description="View and edit the captions of a dataset.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings, app.state.workspace, app.state.events = settings, workspace, events
    admission = Admission(max_waiting=1000, max_bytes=512_000_000)
    app.add_middleware(Guard, settings=settings, admission=admission, pages=pages.PATHS)
    app.add_middleware(KeyCookie)
    app.add_middleware(SlashAtEnd)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    for routes in _ROUTES:
        app.include_router(routes.router)
    for error in HANDLED:
        app.add_exception_handler(error, handle_error)
    app.add_exception_handler(QueryError, _not_parsed)
    app.add_exception_handler(SinkError, _not_written)


async def _take(workspace: Workspace, opening: ListedDataset, opened: Opened) -> None:
    """Open the dataset; pages show an error."""
    try:
        dataset = await workspace.take(opening)
    except Exception as error:  # noqa: BLE001 - also a bug: the command ends with it
        workspace.fail(error)
        opened(error)
    else:
        opened(dataset)


async def _not_parsed(_: Request, error: Exception) -> Response:
    """An invalid query, with the characters that the page marks."""
    assert isinstance(error, QueryError)
    return json_response({"detail": str(error), "start": error.start, "end": error.end}, 422)


async def _not_written(_: Request, error: Exception) -> Response:
    """A full disk or a folder that cannot be written to: the page shows why, and tries again."""
    return json_response({"detail": str(error)}, 507)
