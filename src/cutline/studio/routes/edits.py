"""Undo, redo, and the history."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from cutline.dataset.records import EditResult
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace, result_json

router = APIRouter(prefix="/studio")


@router.post("/undo")
async def undo(dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Take back the latest edit; null: there is none."""
    return _result(await asyncio.to_thread(dataset.undo), workspace)


@router.post("/redo")
async def redo(dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Apply again what was undone last; null: there is none."""
    return _result(await asyncio.to_thread(dataset.redo), workspace)


@router.get("/history")
async def history(dataset: OpenDataset, limit: int = 100, before: int | None = None) -> Response:
    """The latest edits first: id, time in seconds since 1970, kind, summary, author, files, undone_by."""
    records = dataset.history.edits(limit=min(limit, 1000), before=before)
    return json_response([_record(record) for record in records])


def _record(record: object) -> dict[str, object]:
    from dataclasses import asdict

    values = asdict(record)  # type: ignore[call-overload]
    return {**values.pop("info"), **values}


def _result(result: EditResult | None, workspace: OpenWorkspace) -> Response:
    workspace.events.publish("changed", **workspace.state())
    return json_response(result_json(result) if result is not None else None)
