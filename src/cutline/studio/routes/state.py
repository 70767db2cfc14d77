"""What is open, and the events of it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from cutline.service.http.responses import json_response
from cutline.studio.key_cookie import set_cookie
from cutline.studio.routes.parameters import OpenWorkspace
from cutline.studio.workspace import Workspace

router = APIRouter(prefix="/studio")


class PreferencesRequest(BaseModel):
    """What is kept for the user; what is left out stays as it is."""

    model_config = ConfigDict(extra="forbid")
    keys: Annotated[dict[str, Annotated[list[str], Field(max_length=8)]], Field(max_length=500)] | None = None
    tips: bool | None = None


@router.get("/preferences")
async def preferences(workspace: OpenWorkspace) -> Response:
    """``keys``: those of actions that the user has changed; ``tips``: whether the tour was seen."""
    return json_response(_preferences(workspace))


@router.put("/preferences")
async def keep_preferences(body: PreferencesRequest, workspace: OpenWorkspace) -> Response:
    """Keep preferences for all folders; every open page gets them as a ``preferences`` event."""
    await asyncio.to_thread(workspace.preferences.update, **body.model_dump(exclude_none=True))
    workspace.events.publish("preferences", **_preferences(workspace))
    return json_response(_preferences(workspace))


def _preferences(workspace: Workspace) -> dict[str, Any]:
    kept = workspace.preferences
    return {"keys": kept.keys, "tips": kept.has_seen_tips}


@router.get("/state")
async def state(workspace: OpenWorkspace) -> Response:
    """The open dataset: its folder, number of rows, how many captions are read, what can be undone.

    ``folder`` is null where none is open, ``listing`` the one that is being opened, of which
    ``listed`` pictures were found so far, ``empty`` one that was to be opened and has no pictures, and
    ``failed`` why that of the command could not be opened.
    """
    return json_response(workspace.state())


@router.post("/session")
async def session(request: Request) -> Response:
    """Keep the key of this request (``X-API-Key``) in a cookie of the browser; 401: it is wrong."""
    response = json_response({})
    key = request.headers.get("x-api-key", "")
    if key:
        response.headers["Set-Cookie"] = set_cookie(key)
    return response


@router.get("/events")
async def events(request: Request) -> Response:
    """Server-sent events: ``reading``, ``state``, ``opened``, ``changed``, ``job``, ``preferences``."""
    return StreamingResponse(request.app.state.events.stream(), media_type="text/event-stream")
