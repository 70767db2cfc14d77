"""Folders: list and open them, draw samples, and suggest a model."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from cutline.dataset.writer import Progress, StopEdit
from cutline.files import name_to_text, text_to_name, write_errors
from cutline.machine import Machine, model_advice
from cutline.sample_pictures import SAMPLES, draw_samples
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.sidecars import sidecar_ending
from cutline.studio.folders import listing
from cutline.studio.routes.parameters import OpenWorkspace, Text

router = APIRouter(prefix="/studio")
FolderPath = Annotated[str, Field(min_length=1, max_length=4096)]


class OpenRequest(BaseModel):
    """A folder to open, and its options; by default those of the command."""

    model_config = ConfigDict(extra="forbid")
    folder: Text
    sidecar_ext: Text | None = None
    one_a_line: bool | None = None
    text_encoding: Text | None = None


class SamplesRequest(BaseModel):
    """A new or empty folder for the sample pictures."""

    model_config = ConfigDict(extra="forbid")
    folder: FolderPath


@router.post("/open")
async def open_folder(body: OpenRequest, workspace: OpenWorkspace) -> Response:
    """Open a folder, table or tar that is one of ``--root``, or below one; 403 for others.

    Meanwhile ``listing`` of the state is the folder, and the open one stays open. 422: it is not a folder, or
    has no pictures.
    """
    options: dict[str, Any] = {}
    if body.sidecar_ext is not None:
        options["ending"] = sidecar_ending(body.sidecar_ext)
    if body.one_a_line is not None:
        options["one_a_line"] = body.one_a_line
    if body.text_encoding is not None:
        options["text_encoding"] = body.text_encoding
    await workspace.open(text_to_name(body.folder), **options)
    return json_response(workspace.state())


@router.get("/folders")
async def folders(workspace: OpenWorkspace, request: Request, path: str = "") -> Response:
    """The folders in a folder that the page may open; of the roots, where ``path`` is empty.

    ``path``, ``parent`` (null above the roots), ``pictures`` below it, ``folders``, ``outputs`` and
    ``recent``. Each folder has ``name``, ``path``, ``pictures`` and ``is_more``, which is true where not all
    were counted, each of the outputs ``name``, ``path``, ``kind`` (``table`` or ``shard``) and ``size``, each
    of the recent ones ``problem``, why it cannot be opened; mostly empty.
    """
    folder = text_to_name(path)
    if folder:
        workspace.check_place(folder)
    try:
        found = await asyncio.to_thread(listing, folder, request.app.state.settings.roots)
    except OSError as error:
        raise ServiceError(422, f"{path or 'the folder'}: {error.strerror}") from None
    recent = await asyncio.to_thread(_recent, workspace)
    return json_response({**dataclasses.asdict(found), "recent": recent})


@router.post("/samples")
async def samples(body: SamplesRequest, workspace: OpenWorkspace) -> Response:
    """Draw sample pictures with captions into a new or empty folder, as a job: 202 with its ``job``.

    403: it is not below the roots; 409: there are files in it.
    """
    folder = text_to_name(body.folder)
    workspace.check_place(folder)
    try:
        if await asyncio.to_thread(os.listdir, folder):
            raise ServiceError(409, "the folder is not empty: choose another name for the sample pictures")
    except FileNotFoundError:
        pass
    except OSError as error:
        raise ServiceError(422, f"the folder cannot be used: {error.strerror}") from None

    def draw(progress: Progress) -> None:
        with write_errors(name_to_text(folder)):
            for number, _ in enumerate(draw_samples(Path(folder), captions=True), 1):
                try:
                    progress(number)
                except StopEdit:
                    return

    name = name_to_text(Path(folder).name)
    return json_response(
        {"job": workspace.jobs.start(f"draw sample pictures into {name}", len(SAMPLES), draw)}, 202
    )


@router.get("/model")
async def model() -> Response:
    """A model that fits this machine: the ``options`` of ``cutline caption``, and ``gigabytes`` to download.

    ``install`` is the command that comes first, mostly empty; ``memory`` and ``gpu`` are gigabytes.
    """
    machine = await asyncio.to_thread(Machine.here)
    found = dataclasses.asdict(model_advice(machine))
    return json_response({**found, "memory": machine.memory, "gpu": machine.gpu})


def _recent(workspace: OpenWorkspace) -> list[dict[str, Any]]:
    """The recent folders that still exist; ``problem`` names why one cannot be opened."""
    found = []
    for one in workspace.preferences.recent:
        folder = text_to_name(one.folder)
        if Path(folder).exists():
            problem = "" if workspace.may_open(folder) else workspace.outside(folder)
            found.append({**dataclasses.asdict(one), "problem": problem})
    return found
