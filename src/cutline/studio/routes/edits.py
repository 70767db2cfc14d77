"""Bulk edits: preview, apply as a job, undo and redo."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.dataset.edits import AnyEdit
from cutline.dataset.marks import MARKS
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.results import result_json
from cutline.studio.routes.parameters import (
    OpenDataset,
    OpenWorkspace,
    Rows,
    Scope,
    Text,
    check_row,
    row_numbers,
    scope_numbers,
)

router = APIRouter(prefix="/studio")


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PreviewRequest(_Body):
    """An edit and its scope; ``where``: the query of the scope, for the history."""

    edit: AnyEdit
    scope: Scope = Scope()
    where: Annotated[str, Field(max_length=10_000)] = ""


class ApplyRequest(_Body):
    """A preview, without the rows that were unticked."""

    preview: int
    without: Rows = []


class MarkRequest(_Body):
    """Rows, and a mark to set or remove."""

    rows: Rows
    mark: Text
    on: bool = True


class UndoRequest(_Body):
    """The edit to undo; null: the latest in effect."""

    edit: int | None = None


@router.post("/preview")
async def preview(body: PreviewRequest, workspace: OpenWorkspace) -> Response:
    """Preview an edit: ``preview``, ``scope`` and ``changed``; nothing is written.

    ``converted``: files that would become UTF-8, counted by their encoding, which lacks a new character.
    """
    dataset = workspace.dataset
    rows = await scope_numbers(dataset, body.scope)
    where = body.where or body.scope.query or ""
    found = await asyncio.to_thread(dataset.preview, body.edit, rows, where=where)
    converted = await asyncio.to_thread(dataset.conversions, found)
    number = workspace.previews.add(found)
    return json_response(
        {
            "preview": number,
            "scope": found.scope,
            "changed": len(found.rows),
            "converted": converted,
            "summary": found.summary,
        }
    )


@router.get("/preview/{number}")
async def preview_rows(
    number: int,
    workspace: OpenWorkspace,
    start: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Changes of a preview from ``start`` on: ``row``, ``key``, ``before``, ``after``."""
    found = workspace.previews.get(number).part(start, count)
    entries = workspace.dataset.entries
    before, after = await asyncio.to_thread(lambda: (found.before.to_pylist(), found.after.to_pylist()))
    triples = zip(found.rows.tolist(), before, after, strict=True)
    return json_response(
        [
            {"row": row, "key": entries[row].key, "before": before, "after": after}
            for row, before, after in triples
        ]
    )


@router.post("/apply")
async def apply(body: ApplyRequest, workspace: OpenWorkspace) -> Response:
    """Apply a preview as a job: 202 with its ``job``; ``job`` events have its progress."""
    found = workspace.previews.get(body.preview).without(body.without)
    dataset = workspace.dataset
    job = workspace.jobs.start(
        found.summary, len(found.rows), lambda progress: dataset.apply(found, progress)
    )
    return json_response({"job": job}, 202)


@router.delete("/jobs/{number}")
async def stop(number: int, workspace: OpenWorkspace) -> Response:
    """Stop a job; written changes stay, and can be undone."""
    workspace.jobs.stop(number)
    return json_response({})


@router.get("/jobs")
async def jobs(workspace: OpenWorkspace) -> Response:
    """The jobs since the start: ``job``, ``summary``, ``total``, ``done``, ``result``."""
    return json_response(workspace.jobs.all())


@router.post("/undo")
async def undo(workspace: OpenWorkspace, body: UndoRequest | None = None) -> Response:
    """Undo an edit as a job; ``job`` is null if there is nothing to undo."""
    dataset = workspace.dataset
    edit = body.edit if body is not None else None
    record = dataset.history.undoable() if edit is None else dataset.history.edit(edit)
    if record is None:
        if edit is not None:
            raise ServiceError(404, f"there is no edit {edit}")
        return json_response({"job": None})
    number = record.id
    job = workspace.jobs.start(
        record.reversal.summary, record.files, lambda progress: dataset.undo(number, progress)
    )
    return json_response({"job": job}, 202)


@router.post("/redo")
async def redo(workspace: OpenWorkspace) -> Response:
    """Redo the last undone edit as a job; ``job`` is null if there is none."""
    dataset = workspace.dataset
    record = dataset.history.redoable()
    if record is None:
        return json_response({"job": None})
    job = workspace.jobs.start(record.reversal.summary, record.files, dataset.redo)
    return json_response({"job": job}, 202)


@router.get("/history")
async def history(dataset: OpenDataset, limit: int = 100, before: int | None = None) -> Response:
    """The latest edits first.

    ``id``, ``time`` in seconds since 1970, ``kind``, ``summary``, ``model``, ``prompt_id``, ``files``,
    ``state``, ``undone_by``, and ``taken_back``, the number of files that its undo wrote.
    """
    records = dataset.history.edits(limit=min(limit, 1000), before=before)
    taken_back = dataset.history.taken_back(records)
    return json_response(
        [
            {
                "id": record.id,
                "time": record.time,
                "kind": record.info.kind,
                "summary": record.info.summary,
                "model": record.info.model,
                "prompt_id": record.info.prompt_id,
                "files": record.files,
                "state": record.state,
                "undone_by": record.undone_by,
                "taken_back": taken_back.get(record.id, 0),
            }
            for record in records
        ]
    )


@router.get("/history/{row}")
async def versions(row: int, dataset: OpenDataset) -> Response:
    """The captions of a picture, the latest first: ``edit``, ``time``, ``by``, ``caption``, ``prompt_id``."""
    key = dataset.entries[check_row(dataset, row)].key
    return json_response(dataset.versions(key))


@router.post("/marks")
async def mark(body: MarkRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Mark pictures as ``done`` or ``flagged``, or remove the mark."""
    if body.mark not in MARKS:
        raise ServiceError(422, f"mark must be one of {', '.join(MARKS)}")
    row_numbers(dataset, body.rows)
    result = await asyncio.to_thread(dataset.set_mark, body.rows, body.mark, on=body.on)
    workspace.publish_changes()
    return json_response(result_json(result))
