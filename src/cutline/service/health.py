"""Whether the service lives, whether it can answer, and what it has counted."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from cutline.service.metrics import TEXT

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = "healthy"


class Ready(BaseModel):
    status: str = "ready"
    model: str


class Model(BaseModel):
    """``slots``: pictures that it takes at once."""

    name: str
    ready: bool
    slots: int


class Models(BaseModel):
    models: list[Model]


@router.get("/health")
async def health() -> Health:
    """The process lives. Needs no key."""
    return Health()


@router.get("/ready", responses={503: {"description": "the model is being loaded"}})
async def ready(request: Request) -> Ready:
    """The model is loaded and requests are answered."""
    desk = request.app.state.desk
    if not desk.ready:
        raise HTTPException(503, "the model is being loaded", headers={"Retry-After": "5"})
    return Ready(model=desk.model)


@router.get("/models")
async def models(request: Request) -> Models:
    """The model that answers here."""
    desk = request.app.state.desk
    return Models(models=[Model(name=desk.model, ready=desk.ready, slots=desk.slots)])


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """What was counted, for Prometheus."""
    return Response(request.app.state.meters.text(), media_type=TEXT)
