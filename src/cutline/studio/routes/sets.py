"""Named sets of rows, which queries find by ``in:NAME``."""

from __future__ import annotations

import asyncio

import numpy as np
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import Response

from cutline.dataset.dataset import Dataset
from cutline.dataset.preview import RowNumbers
from cutline.service.errors import ServiceError, invalid_body
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import (
    OpenDataset,
    OpenWorkspace,
    Scope,
    check_rows,
    scope_numbers,
)

router = APIRouter(prefix="/studio")

_BINARY = "application/octet-stream"


@router.get("/sets")
async def sets(dataset: OpenDataset) -> Response:
    """The names of the dataset's sets, the latest first, with their numbers of pictures."""
    return json_response(await asyncio.to_thread(dataset.row_sets.names))


@router.put("/sets/{name:path}")
async def keep_set(name: str, request: Request, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Save rows as a set, replacing one of this name; returns all sets, see ``GET /studio/sets``.

    The body: row numbers as little-endian 32-bit integers (``application/octet-stream``); or JSON,
    ``{"rows": […]}`` or ``{"query": "…"}``. Every page gets a ``sets`` event.
    """
    rows = await _rows(await request.body(), request.headers.get("content-type", ""), dataset)
    kept = await asyncio.to_thread(dataset.row_sets.put, name, rows)
    workspace.events.publish("sets", sets=kept)
    return json_response(kept)


@router.delete("/sets/{name:path}")
async def forget_set(name: str, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Remove a set, not its pictures. 422: there is none of this name, or a saved filter needs it."""
    kept = await asyncio.to_thread(dataset.row_sets.remove, name)
    workspace.events.publish("sets", sets=kept)
    return json_response(kept)


async def _rows(body: bytes, kind: str, dataset: Dataset) -> RowNumbers:
    if kind.partition(";")[0].strip().lower() == _BINARY:
        if len(body) % 4:
            raise ServiceError(422, "rows are 32-bit integers: the body must have a multiple of 4 bytes")
        return check_rows(dataset, np.frombuffer(body, "<i4").astype(np.int64))
    try:
        scope = Scope.model_validate_json(body)
    except ValidationError as error:
        raise invalid_body(error, Scope) from None
    found = await scope_numbers(dataset, scope)
    return np.arange(len(dataset), dtype=np.int64) if found is None else found
