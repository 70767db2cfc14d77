"""What is open, and the events of it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response, StreamingResponse

from cutline.service.http.responses import json_response
from cutline.studio.key_cookie import set_cookie
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


@router.post("/session")
async def session(request: Request) -> Response:
    """Keep the key of this request (``X-API-Key``) in a cookie of the browser; 401: it is wrong."""
    response = json_response({})
    key = request.headers.get("x-api-key", "")
    if key:
        response.headers["Set-Cookie"] = set_cookie(key)
    return response


@router.post("/open")
async def open_folder(body: OpenRequest, workspace: OpenWorkspace) -> Response:
    """Open another folder below those of ``--root``; 403 for others."""
    await workspace.open(body.folder)
    return json_response(workspace.state())


@router.get("/events")
async def events(request: Request) -> Response:
    """Server-sent events: ``reading``, ``state``, ``opened``, ``captions`` (rows that changed)."""
    return StreamingResponse(request.app.state.events.stream(), media_type="text/event-stream")
