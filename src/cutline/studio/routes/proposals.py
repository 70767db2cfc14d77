"""Accept, with or without changes, or reject proposed captions."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from starlette.responses import Response

from cutline.service.http.responses import json_response
from cutline.studio.results import result_json
from cutline.studio.routes.parameters import (
    Caption,
    OpenDataset,
    OpenWorkspace,
    Row,
    Scope,
    Text,
    row_numbers,
    scope_rows,
)

router = APIRouter(prefix="/studio")


class AcceptRequest(Scope):
    """A scope; rows without a proposal stay unchanged.

    ``captions``: accepted instead of the proposals of these rows. ``seen``: captions that a page has shown
    beside their proposals. A current caption that is neither there nor the one that its proposal was made for
    is a conflict.
    """

    captions: Annotated[dict[Row, Caption], Field(max_length=1000)] = Field(default_factory=dict)
    seen: Annotated[dict[Row, Text | None], Field(max_length=1000)] = Field(default_factory=dict)


@router.post("/accept")
async def accept(body: AcceptRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Accept proposed captions, as a job: 202 with its ``job``."""
    row_numbers(dataset, [*body.captions, *body.seen])
    rows = await scope_rows(dataset, body)
    job = workspace.jobs.start(
        "accept proposals",
        len(rows),
        lambda progress: dataset.accept(rows, progress, texts=body.captions, seen=body.seen),
    )
    return json_response({"job": job}, 202)


@router.post("/reject")
async def reject(body: Scope, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Remove proposed captions."""
    result = await asyncio.to_thread(dataset.reject, await scope_rows(dataset, body))
    workspace.publish_changes()
    return json_response(result_json(result))
