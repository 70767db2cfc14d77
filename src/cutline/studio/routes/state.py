"""The state of the studio, and its events."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response, StreamingResponse

from cutline.service.http.responses import json_response
from cutline.studio.key_cookie import set_cookie
from cutline.studio.routes.parameters import OpenWorkspace, Text
from cutline.studio.workspace import Workspace

router = APIRouter(prefix="/studio")


class PreferencesRequest(BaseModel):
    """Preferences; omitted ones stay unchanged."""

    model_config = ConfigDict(extra="forbid")
    keys: Annotated[dict[str, Annotated[list[Text], Field(max_length=8)]], Field(max_length=500)] | None = (
        None
    )
    tips: bool | None = None


@router.get("/preferences")
async def preferences(workspace: OpenWorkspace) -> Response:
    """``keys``: keyboard shortcuts changed by the user; ``tips``: whether the tour was seen."""
    return json_response(_preferences(workspace))


@router.put("/preferences")
async def keep_preferences(body: PreferencesRequest, workspace: OpenWorkspace) -> Response:
    """Save preferences for all folders; every open page gets a ``preferences`` event."""
    await asyncio.to_thread(workspace.preferences.update, **body.model_dump(exclude_none=True))
    workspace.events.publish("preferences", **_preferences(workspace))
    return json_response(_preferences(workspace))


def _preferences(workspace: Workspace) -> dict[str, Any]:
    kept = workspace.preferences
    return {"keys": kept.keys, "tips": kept.has_seen_tips}


@router.get("/state")
async def state(workspace: OpenWorkspace) -> Response:
    """The open dataset: its folder, number of rows, number of read captions, and what can be undone.

    ``folder`` is null if none is open, ``listing`` is the one being opened, with ``listed`` pictures so far,
    ``empty`` is one without pictures, and ``failed`` the reason why that of the command could not be opened.
    """
    return json_response(workspace.state())


@router.post("/session")
async def session(request: Request) -> Response:
    """Store the key of this request (``X-API-Key``) in a cookie; 401: it is wrong."""
    response = json_response({})
    key = request.headers.get("x-api-key", "")
    if key:
        response.headers["Set-Cookie"] = set_cookie(key)
    return response


@router.get("/events")
async def events(request: Request) -> Response:
    """Server-sent events: ``reading``, ``state``, ``opened``, ``changed``, ``job``, ``preferences``."""
    return StreamingResponse(request.app.state.events.stream(), media_type="text/event-stream")
