"""Whether the service lives, whether it can answer, and what it has counted."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel

from cutline.service.errors import shown_model
from cutline.service.telemetry.metrics import TEXT

router = APIRouter(tags=["health"])


class Health(BaseModel):
    status: str = "healthy"


class Ready(BaseModel):
    status: str = "ready"
    model: str


class Model(BaseModel):
    """``slots``: pictures that it takes at once. ``instructable``: whether it does what a prompt says.

    ``prompts``: those of the library that it can be asked with; another model knows some of them as forms.
    """

    name: str
    ready: bool
    slots: int
    instructable: bool
    prompts: list[str]


class OfferedChain(BaseModel):
    """A chain that requests may choose; ``steps`` names the model of each step."""

    name: str
    steps: dict[str, str]


class Limits(BaseModel):
    """The most that is taken: bytes of a request, and pictures of a batch or a job."""

    max_body: int
    max_pictures: int


class Models(BaseModel):
    models: list[Model]
    chains: list[OfferedChain] = []
    limits: Limits


@router.head("/health", include_in_schema=False)  # as many probes ask
@router.get("/health")
async def health() -> Health:
    """The process lives. Needs no key."""
    return Health()


@router.head("/ready", include_in_schema=False)
@router.get(
    "/ready", responses={503: {"description": "the model is being loaded, or the queue cannot be reached"}}
)
async def ready(request: Request) -> Ready:
    """The model is loaded, the queue's database answers, and so do we."""
    desk, queue = request.app.state.desk, request.app.state.queue
    if not desk.ready:
        raise HTTPException(503, "the model is being loaded", headers={"Retry-After": "5"})
    await queue.look()
    if not queue.is_up:
        raise HTTPException(503, "the queue cannot be reached now", headers={"Retry-After": "10"})
    return Ready(model=shown_model(desk.model))


@router.get("/models")
async def models(request: Request) -> Models:
    """The model that answers here, the chains that can be wished for, and how much a request can hold."""
    desk, settings = request.app.state.desk, request.app.state.settings
    chains = [
        OfferedChain(name=name, steps={step: shown_model(model) for step, model in steps.items()})
        for name, steps in desk.chains.steps.items()
    ]
    model = Model(
        name=shown_model(desk.model),
        ready=desk.ready,
        slots=desk.at_once,
        instructable=desk.instructable,
        prompts=desk.prompts,
    )
    limits = Limits(max_body=settings.max_body, max_pictures=settings.max_pictures)
    return Models(models=[model], chains=chains, limits=limits)


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """What was counted, for Prometheus."""
    await request.app.state.queue.look()
    return Response(request.app.state.meters.text(), media_type=TEXT)
