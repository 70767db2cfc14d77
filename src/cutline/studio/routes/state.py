"""What is open, and the events of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response, StreamingResponse

from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenWorkspace

router = APIRouter(prefix="/studio")


class OpenRequest(BaseModel):
    """A folder to open."""

    model_config = ConfigDict(extra="forbid")
    folder: str


@router.get("/state")
async def state(workspace: OpenWorkspace) -> Response:
    """The open dataset: its folder, number of rows, how many captions are read, what can be undone."""
    return json_response(workspace.state())


@router.post("/open")
async def open_folder(body: OpenRequest, workspace: OpenWorkspace) -> Response:
    """Open another folder."""
    await workspace.open(body.folder)
    return json_response(workspace.state())


@router.get("/events")
async def events(request: Request) -> Response:
    """Server-sent events: ``reading``, ``state``, ``opened``, ``captions`` (rows that changed)."""
    return StreamingResponse(request.app.state.events.stream(), media_type="text/event-stream")
