"""Export pictures and captions of a scope to a file or folder, as a job."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import FileResponse, Response

from cutline.dataset.export.names import FORMATS
from cutline.dataset.export.records import ExportResult
from cutline.files import name_to_text
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import OpenWorkspace, Scope, scope_numbers

router = APIRouter(prefix="/studio")


class ExportRequest(BaseModel):
    """The scope and the destination of an export.

    ``output``: the name of a file or folder beside the dataset, or a path below the allowed roots; null for a
    free name beside the dataset. ``empty``: include pictures without a caption. ``overwrite``: replace an
    output below a root, or of an earlier export of this studio.
    """

    model_config = ConfigDict(extra="forbid")
    scope: Scope = Scope()
    format: Literal[
        "webdata-zip",
        "zip",
        "webdataset",
        "jsonl",
        "json",
        "csv",
        "tsv",
        "parquet",
        "kohya",
        "imagefolder",
        "folder",
        "texts",
    ] = "webdata-zip"
    output: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    empty: bool = False
    overwrite: bool = False


@router.post("/export")
async def export(body: ExportRequest, workspace: OpenWorkspace, request: Request) -> Response:
    """Export captions and their pictures as a job: 202 with its ``job`` and ``output``.

    The job's result has ``output``, ``written``, ``missing`` (without a caption), ``failed``, ``stopped``
    and ``is_file``. 422 with ``start`` and ``end`` where the query cannot be parsed.
    """
    dataset = workspace.dataset
    earlier = {result.output for result in workspace.jobs.exports()}
    output = _place(body, Path(dataset.folder), request.app.state.settings.roots, earlier)
    rows = await scope_numbers(dataset, body.scope)
    job = workspace.jobs.start(
        f"export to {name_to_text(output.name)}",
        len(dataset) if rows is None else len(rows),
        lambda progress: dataset.export(
            output,
            rows,
            format=body.format,
            overwrite=body.overwrite,
            empty=body.empty,
            progress=progress,
        ),
    )
    return json_response({"job": job, "output": name_to_text(str(output))}, 202)


@router.get("/export/{job}")
async def download(job: int, workspace: OpenWorkspace) -> Response:
    """The file that an export wrote; 409 while it runs, or if it wrote a folder or nothing."""
    result = workspace.jobs.result(job)
    if not isinstance(result, ExportResult) or not result.is_complete:
        raise ServiceError(409, f"job {job} has exported nothing, or not yet")
    name = name_to_text(str(result.output))
    if not FORMATS[result.format]:
        raise ServiceError(409, f"the export is a folder: it is at {name}")
    if result.output.is_symlink() or not result.output.is_file():
        raise ServiceError(404, f"{name} does not exist any more: export again")
    return FileResponse(
        result.output,
        media_type="application/octet-stream",
        filename=name_to_text(result.output.name),
        headers={"Cache-Control": "no-store"},
    )


def _place(body: ExportRequest, folder: Path, roots: tuple[Path, ...], earlier: set[Path]) -> Path:
    """The destination of an export; ServiceError 403 or 422: it is not allowed."""
    if body.output is None:
        return _free_name(folder, FORMATS[body.format])
    if "\0" in body.output:
        raise ServiceError(422, "output must not hold a null character")
    given = Path(os.path.abspath(folder.parent / body.output))  # noqa: PTH100 - resolve() follows links
    place = Path(os.path.realpath(given.parent)) / given.name
    if any(place.is_relative_to(os.path.realpath(root)) for root in roots):
        return place
    if place.parent != folder.parent:
        raise ServiceError(
            403, "output must be a name, for a place beside the dataset, or a path below an allowed root"
        )
    if place.name.startswith("."):
        raise ServiceError(422, "output must not begin with a full stop")
    if body.overwrite and place not in earlier and os.path.lexists(place):
        raise ServiceError(
            403, f"{name_to_text(place.name)} was not made by this studio: choose another name"
        )
    return place


def _free_name(folder: Path, ending: str) -> Path:
    stem = folder.name.replace(":", "-")  # before the name of a prompt; not allowed in names on Windows
    names = (f"{stem}-export{f'-{number}' if number > 1 else ''}{ending}" for number in itertools.count(1))
    return next(place for name in names if not os.path.lexists(place := folder.parent / name))
