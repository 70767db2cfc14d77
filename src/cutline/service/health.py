"""Whether the service lives, and whether it can answer."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException, Request

from cutline.records import JSON

router = APIRouter(tags=["health"])


@router.get("/health")
async def health() -> JSON:
    """The process lives."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(request: Request) -> JSON:
    """The model is loaded and requests are answered."""
    desk = request.app.state.desk
    if not desk.ready:
        raise HTTPException(503, "the model is being loaded", headers={"Retry-After": "5"})
    return {"status": "ready", "model": desk.model}


@router.get("/models")
async def models(request: Request) -> JSON:
    """The model that answers here."""
    desk = request.app.state.desk
    return {"models": [{"name": desk.model, "ready": desk.ready, "slots": desk.slots}]}
