"""The service as an ASGI application."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator

from fastapi import Depends, FastAPI
from sqlalchemy.exc import SQLAlchemyError

import cutline
from cutline.service.admission import Admission
from cutline.service.captioning_service import CaptioningService
from cutline.service.http import pages
from cutline.service.http.guard import Guard
from cutline.service.http.middleware import Prefix, RequestMetrics, RequestSpans, SlashAtEnd
from cutline.service.http.openapi import complete_document
from cutline.service.http.parameters import refuse_unknown_parameters
from cutline.service.http.responses import HANDLED, handle_error
from cutline.service.lifecycle.shutdown import on_shutdown_signal
from cutline.service.pictures import Pictures
from cutline.service.queue.queue import Queue
from cutline.service.routes import captions, completions, health, responses, tasks
from cutline.service.settings import Settings
from cutline.service.telemetry.logs import OutcomeLog
from cutline.service.telemetry.metrics import Metrics
from cutline.service.telemetry.tracing import Tracing

_log = logging.getLogger("cutline.service")


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings, whose model is loaded when it starts; raises ConfigError."""
    settings.verify()
    metrics = Metrics()
    admission = Admission(max_waiting=settings.max_waiting, max_bytes=settings.max_held)
    tracing = Tracing(os.environ)
    service = CaptioningService(settings, admission, OutcomeLog(metrics).record, tracing)
    pictures = Pictures(settings.image_root)
    queue = Queue(settings, service, pictures)
    _watch(metrics, admission, service, queue)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tracing.open()
        await service.open(lambda line: _log.info("%s", line))
        _log.info("ready model=%s", service.captioner.name)
        await queue.open()
        publishing = asyncio.create_task(metrics.publish())
        try:
            with on_shutdown_signal(queue.stop):
                yield
        finally:
            publishing.cancel()
            await queue.aclose()
            await service.aclose()
            await asyncio.to_thread(tracing.close)

    app = FastAPI(
        title="cutline",
        version=cutline.__version__,
        description="Captions for pictures, from any vision-language model.",
        servers=[{"url": settings.root_path}] if settings.root_path else None,
        lifespan=lifespan,
        docs_url=None,  # FastAPI's loads its scripts from elsewhere
        redoc_url=None,
    )
    app.state.service, app.state.settings, app.state.metrics = service, settings, metrics
    app.state.pictures, app.state.queue = pictures, queue
    app.add_middleware(Guard, settings=settings, admission=admission, pages=pages.PATHS)
    _add_middleware(app, settings, metrics, tracing)
    _add_routes(app, keyed=settings.service_key is not None or settings.has_key)
    return app


def _add_middleware(app: FastAPI, settings: Settings, metrics: Metrics, tracing: Tracing) -> None:
    """What is before the guard; the last one comes first."""
    app.add_middleware(RequestMetrics, metrics=metrics, access_log=settings.access_log)
    if tracing.is_on:
        app.add_middleware(RequestSpans, tracing=tracing)
    app.add_middleware(SlashAtEnd)
    if settings.root_path:
        app.add_middleware(Prefix, root=settings.root_path)


def _add_routes(app: FastAPI, *, keyed: bool) -> None:
    for routes in (health, captions, tasks):
        app.include_router(routes.router, dependencies=[Depends(refuse_unknown_parameters)])
    for routes in (completions, responses, pages):  # whose clients send parameters of their own
        app.include_router(routes.router)
    complete_document(app, keyed=keyed)
    for error in (*HANDLED, SQLAlchemyError):
        app.add_exception_handler(error, handle_error)


def _watch(metrics: Metrics, admission: Admission, service: CaptioningService, queue: Queue) -> None:
    metrics.watch("waiting_requests", "Requests that wait for their response.", lambda: admission.waiting)
    metrics.watch("held_bytes", "Bytes of pictures that requests sent or linked to.", lambda: admission.held)
    metrics.watch("slots_in_use", "Pictures that are before the model.", lambda: service.slots_in_use)
    metrics.watch("slots", "Pictures that the model captions at once.", lambda: service.captioner.at_once)
    metrics.watch("queued_pictures", "Pictures of jobs that wait.", lambda: queue.waiting, shared=True)
    metrics.watch("store_up", "Whether the queue's database responds.", lambda: queue.is_up, shared=True)
