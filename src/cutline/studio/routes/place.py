"""The user's position in a dataset: the query, the cursor, and the picked rows."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.dataset.dataset import Dataset
from cutline.files import name_to_text
from cutline.service.http.responses import json_response
from cutline.studio.preferences import PICKED, Place
from cutline.studio.routes.parameters import OpenWorkspace, Row, Rows, row_numbers

router = APIRouter(prefix="/studio")


class PlaceRequest(BaseModel):
    """The query, the row of the cursor, and the picked rows; ``folder``: the dataset that they are of."""

    model_config = ConfigDict(extra="forbid")
    folder: Annotated[str, Field(max_length=10_000)] | None = None
    query: Annotated[str, Field(max_length=10_000)] = ""
    row: Row | None = None
    picked: Rows = []


@router.get("/place")
async def place(workspace: OpenWorkspace) -> Response:
    """The saved ``query``, ``row`` and ``picked``, in current row numbers."""
    dataset = workspace.dataset
    kept = await asyncio.to_thread(workspace.preferences.place, name_to_text(dataset.folder))
    picked = [row for row in map(dataset.find_row, kept.picked) if row is not None]
    return json_response({"query": kept.query, "row": dataset.find_row(kept.key), "picked": picked})


@router.put("/place")
async def keep_place(body: PlaceRequest, workspace: OpenWorkspace) -> Response:
    """Save them for the next time; not more than 10,000 picked rows, and not those of another folder."""
    dataset = workspace.dataset
    if body.folder not in {None, name_to_text(dataset.folder)}:  # of a page that was left meanwhile
        return json_response({})
    kept = await asyncio.to_thread(_place, body, dataset)
    await asyncio.to_thread(workspace.preferences.keep_place, name_to_text(dataset.folder), kept)
    return json_response({})


def _place(body: PlaceRequest, dataset: Dataset) -> Place:
    picked = row_numbers(dataset, body.picked)
    row = row_numbers(dataset, [] if body.row is None else [body.row])
    keys = [dataset.entries[number].key for number in row.tolist()] if row is not None else []
    several = picked.tolist() if picked is not None and len(picked) <= PICKED else []
    return Place(
        query=body.query,
        key=keys[0] if keys else "",
        picked=tuple(dataset.entries[number].key for number in several),
    )
