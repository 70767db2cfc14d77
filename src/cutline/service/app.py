"""The service as an ASGI application."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

import cutline
from cutline.errors import ConfigError, RunStopped
from cutline.service import captions, health
from cutline.service.desk import Desk
from cutline.service.guard import Guard
from cutline.service.pictures import Pictures
from cutline.service.settings import Settings

_log = logging.getLogger("cutline.service")


def create_app(settings: Settings) -> FastAPI:
    """The application for these settings; its model is loaded when it starts.

    Raises:
        ConfigError: the settings cannot be used together, or the model cannot be asked.
    """
    settings.check()
    desk = Desk(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await desk.open(lambda line: _log.info("%s", line))
        _log.info("ready model=%s", desk.model)
        try:
            yield
        finally:
            await desk.aclose()

    app = FastAPI(
        title="cutline",
        version=cutline.__version__,
        description="Captions for pictures, from any vision-language model.",
        lifespan=lifespan,
    )
    app.state.desk, app.state.settings = desk, settings
    app.state.pictures = Pictures(settings.image_root)
    app.add_middleware(Guard, settings=settings)
    app.include_router(health.router)
    app.include_router(captions.router)
    app.add_exception_handler(ConfigError, _refused)
    app.add_exception_handler(RunStopped, _unusable)
    return app


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"detail": str(error)}, status_code=422)


async def _unusable(_: Request, error: Exception) -> JSONResponse:
    _log.error("model unusable cause=%s", error)
    return JSONResponse(
        {"detail": "the model cannot be asked now"}, status_code=503, headers={"Retry-After": "30"}
    )
