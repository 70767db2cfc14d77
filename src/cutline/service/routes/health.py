"""Health, readiness, models and metrics."""

from __future__ import annotations

import asyncio
import math
import shutil
import tempfile
from typing import Final, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from cutline.records import JSON
from cutline.service.described_model import DescribedModel
from cutline.service.errors import ServiceError
from cutline.service.http.responses import NO_SPACE
from cutline.service.results import public_model_name
from cutline.service.routes.completions import offered_models
from cutline.service.telemetry.metrics import CONTENT_TYPE

router = APIRouter(tags=["health"])
MIN_FREE: Final = 10_000_000  # bytes, on the disk of temporary files


class Health(DescribedModel):
    status: str = "healthy"
    """Always `healthy`."""


class Ready(DescribedModel):
    status: str = "ready"
    """Always `ready`."""
    model: str
    """The model that is ready."""


class Model(DescribedModel):
    """``slots``: pictures that it captions at once. ``instructable``: whether it follows a prompt.

    ``prompts``: those of the library that it supports; a model that is not instructable knows some as forms.
    """

    name: str
    """The name of the model."""
    ready: bool
    """Whether it is loaded."""
    slots: int
    """Pictures that it captions at once."""
    instructable: bool
    """Whether it follows a prompt of any words."""
    prompts: list[str]
    """Prompts of the library that it supports."""


class OfferedChain(DescribedModel):
    """A chain that requests may choose; ``steps`` names the model of each step."""

    name: str
    """The name that requests give."""
    steps: dict[str, str]
    """The model of each step, by name."""


class Limits(DescribedModel):
    """Limits: bytes of a request, and pictures of a batch or a job."""

    max_body: int
    """Bytes of a request."""
    max_pictures: int
    """Pictures of a batch or a job."""


class Models(DescribedModel):
    """``object`` and ``data`` are those of ``/v1/models``: OpenAI's clients may lack the ``/v1``."""

    object: Literal["list"] = "list"
    """As in OpenAI's API."""
    data: list[JSON]
    """The models as in OpenAI's API."""
    models: list[Model]
    """The models of this service."""
    chains: list[OfferedChain] = Field([])
    """The chains that requests may choose."""
    limits: Limits
    """What a request may hold."""


@router.head("/health", include_in_schema=False)  # used by many probes
@router.get("/health")
async def health() -> Health:
    """The process is alive. Needs no key."""
    return Health()


@router.head("/ready", include_in_schema=False)
@router.get("/ready", responses={503: {"description": "the model is loading, or the queue is not available"}})
async def ready(request: Request) -> Ready:
    """The model is loaded, the queue's database responds, and there is room for uploads."""
    service, queue = request.app.state.service, request.app.state.queue
    if not service.ready:
        raise ServiceError(503, "the model is loading", headers={"Retry-After": "5"})
    if await asyncio.to_thread(_free_space) < MIN_FREE:
        raise ServiceError(503, NO_SPACE, headers={"Retry-After": "30"})
    await queue.update_status()
    if not queue.is_up:
        raise ServiceError(503, "the queue is not available now", headers={"Retry-After": "10"})
    return Ready(model=public_model_name(service.captioner.name))


def _free_space() -> float:
    """Bytes where uploads are kept while they come; infinite where that cannot be known."""
    try:
        return shutil.disk_usage(tempfile.gettempdir()).free
    except OSError:
        return math.inf


@router.get("/models")
async def models(request: Request) -> Models:
    """The model of this service, the chains that requests can choose, and the limits of a request."""
    service, settings = request.app.state.service, request.app.state.settings
    chains = [
        OfferedChain(name=name, steps={step: public_model_name(model) for step, model in steps.items()})
        for name, steps in service.chains.steps.items()
    ]
    model = Model(
        name=public_model_name(service.captioner.name),
        ready=service.ready,
        slots=service.captioner.at_once,
        instructable=service.captioner.profile.instructable,
        prompts=service.prompts,
    )
    limits = Limits(max_body=settings.max_body, max_pictures=settings.max_pictures)
    return Models(data=offered_models(service), models=[model], chains=chains, limits=limits)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Metrics for Prometheus."""
    await request.app.state.queue.update_status()
    return Response(request.app.state.metrics.text(), media_type=CONTENT_TYPE)
