"""Rows: find them by a query, and get their contents."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.dataset.dataset import Dataset
from cutline.errors import PictureError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace, Row, Text, check_row
from cutline.studio.workspace import Workspace

router = APIRouter(prefix="/studio")


class RowsRequest(BaseModel):
    """Numbers of rows; or ``keys``, the paths of pictures, whose rows are looked up."""

    model_config = ConfigDict(extra="forbid")
    rows: Annotated[list[Row], Field(max_length=1000)] = []
    keys: Annotated[list[Text], Field(max_length=1000)] = []


@router.get("/find")
async def find(dataset: OpenDataset, q: Annotated[str, Query(max_length=10_000)] = "") -> Response:
    """The numbers of the rows that match, as little-endian 32-bit integers.

    422 if the query cannot be parsed; ``start`` and ``end`` delimit the error.
    """
    numbers = await asyncio.to_thread(dataset.find, q)
    return Response(numbers.astype("<u4").tobytes(), media_type="application/octet-stream")


@router.post("/rows")
async def rows(body: RowsRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """The contents of rows; a caption that another program has changed is read again.

    ``row``, ``key``, ``caption`` (or null), ``marks``, ``proposal`` (null, or ``caption``, ``model``,
    ``prompt_id`` and ``before``, the caption that it was made for), ``failure`` (``kind`` and ``message`` of
    a model's failure), ``problem`` (why the caption cannot be edited; mostly empty), ``note`` (mostly empty),
    ``color`` (the picture's average, ``#rrggbb``; null without a thumbnail). Unknown keys are omitted.
    """
    numbers = [check_row(dataset, row) for row in body.rows]
    for key in body.keys:
        with contextlib.suppress(KeyError):
            numbers.append(dataset.row(key))
    await _refresh(dataset, workspace, numbers)
    paths = await asyncio.to_thread(lambda: [_place(dataset, row) for row in numbers])
    colors = await asyncio.to_thread(workspace.thumbnails.colors, paths)
    pairs = zip(numbers, paths, strict=True)
    return json_response([{**_row(dataset, row), "color": colors.get(path)} for row, path in pairs])


@router.post("/refresh")
async def refresh(body: RowsRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """The rows among these whose captions another program has changed; pages get an event."""
    numbers = [check_row(dataset, row) for row in body.rows]
    return json_response(await _refresh(dataset, workspace, numbers))


async def _refresh(dataset: Dataset, workspace: Workspace, rows: list[int]) -> list[int]:
    changed = await asyncio.to_thread(dataset.refresh, rows)
    if changed:
        workspace.publish_changes(changed)
    return changed


def _place(dataset: Dataset, row: int) -> str:
    """The path under which a row's thumbnail is stored; empty without a picture."""
    try:
        location = dataset.location(row)
    except PictureError:
        return ""
    return location.file() or location.path


def _row(dataset: Dataset, row: int) -> dict[str, Any]:
    key, caption = dataset.entries[row].key, dataset.caption(row)
    return {
        "row": row,
        "key": key,
        "caption": caption,
        "marks": sorted(dataset.marks.of(key)),
        "proposal": dataset.proposals.of(key),
        "failure": dataset.failure(row),
        "problem": dataset.problem(row) if caption is None else "",
        "note": dataset.note(row),
    }
