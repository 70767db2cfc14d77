"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

import cutline
from cutline.errors import ConfigError, RunStopped
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import model_unusable, written
from cutline.service.http import pages
from cutline.service.http.bodies import Lobby
from cutline.service.http.guard import Guard
from cutline.service.http.openapi import describe
from cutline.service.lifecycle.shutdown import told_to_stop
from cutline.service.lifecycle.startup import PlainStart
from cutline.service.pictures import Pictures
from cutline.service.queue.queue import Queue
from cutline.service.queue.schema import cause_of
from cutline.service.request_errors import told, without_options
from cutline.service.routes import captions, completions, events, health, tasks
from cutline.service.settings import Settings
from cutline.service.telemetry.metrics import Metered, Meters
from cutline.service.telemetry.opentelemetry import tracing_of
from cutline.service.telemetry.outcome_log import Notes
from cutline.service.telemetry.tracing import TracedRequests

_log = logging.getLogger("cutline.service")


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings; its model is loaded when it starts.

    Raises:
        ConfigError: the settings cannot be used together, or the model cannot be asked.
    """
    settings.check()
    meters = Meters()
    lobby = Lobby(max_waiting=settings.max_waiting, max_bytes=settings.max_held)
    tracing = tracing_of(os.environ)
    desk = CaptioningService(settings, lobby, Notes(meters).note, tracing)
    meters.watch("waiting_requests", "Requests that wait for their answer.", lambda: lobby.waiting)
    meters.watch("held_bytes", "Bytes of pictures that requests sent or linked to.", lambda: lobby.held)
    meters.watch("slots_in_use", "Pictures that are before the model.", lambda: desk.asked)
    meters.watch("slots", "Pictures that the model takes at once.", lambda: desk.at_once)

    pictures = Pictures(settings.image_root)
    queue = Queue(settings, desk, pictures)
    meters.watch("queued_pictures", "Pictures of jobs that wait.", lambda: queue.waiting, shared=True)
    meters.watch("store_up", "Whether the queue's database answers.", lambda: queue.is_up, shared=True)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tracing.open()
        await desk.open(lambda line: _log.info("%s", line))
        _log.info("ready model=%s", desk.model)
        await queue.open()
        counting = asyncio.create_task(meters.keep_counting())
        try:
            with told_to_stop(queue.stop):
                yield
        finally:
            counting.cancel()
            await queue.aclose()
            await desk.aclose()
            await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="cutline",
        version=cutline.__version__,
        description="Captions for pictures, from any vision-language model.",
        lifespan=lifespan,
        docs_url=None,  # FastAPI's loads its scripts from elsewhere
        redoc_url=None,
    )
    app.state.desk, app.state.settings, app.state.meters = desk, settings, meters
    app.state.pictures, app.state.queue = pictures, queue
    app.add_middleware(Guard, settings=settings, lobby=lobby, pages=pages.PATHS)
    app.add_middleware(Metered, meters=meters)
    if tracing.is_on:
        app.add_middleware(TracedRequests, tracing=tracing)
    app.add_middleware(PlainStart)
    app.include_router(health.router)
    app.include_router(captions.router)
    app.include_router(tasks.router)
    app.include_router(events.router)
    app.include_router(completions.router)
    app.include_router(pages.router)
    describe(app, keyed=settings.service_key is not None)
    app.add_exception_handler(HTTPException, _written)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ConfigError, _refused)
    app.add_exception_handler(RunStopped, _unusable)
    app.add_exception_handler(SQLAlchemyError, _no_store)
    return app


async def _written(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        taken = (error.headers or {}).get("Allow", "")
        error = HTTPException(405, f"this path takes {taken} only", headers=error.headers)
    elif error.detail == HTTPStatus.NOT_FOUND.phrase:
        error = HTTPException(404, "there is no such path: /docs lists those that there are")
    return written(request.url.path, error)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"][1:])
    return written(request.url.path, HTTPException(422, told(where, first)))


async def _refused(request: Request, error: Exception) -> Response:
    return written(request.url.path, HTTPException(422, without_options(str(error))))


async def _unusable(request: Request, error: Exception) -> Response:
    _log.error("model unusable cause=%s", error)
    return written(request.url.path, model_unusable())


async def _no_store(request: Request, error: Exception) -> Response:
    assert isinstance(error, SQLAlchemyError)
    _log.error("store unusable cause=%s", cause_of(error))
    said = HTTPException(503, "the queue cannot be reached now", headers={"Retry-After": "10"})
    return written(request.url.path, said)
