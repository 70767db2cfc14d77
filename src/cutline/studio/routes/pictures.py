"""Pictures and their thumbnails."""

from __future__ import annotations

import asyncio
import os
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.responses import FileResponse, Response

from cutline.dataset.dataset import Dataset
from cutline.errors import MissingExtra, PictureError
from cutline.imaging import Picture, sniff_format
from cutline.imaging.formats import MIMES
from cutline.imaging.thumbnails import small_jpeg
from cutline.records import Location
from cutline.regular_files import open_regular, read_up_to
from cutline.service.errors import ServiceError
from cutline.studio.routes.parameters import OpenDataset, OpenWorkspace, check_row
from cutline.studio.thumbnail_store import PictureVersion

router = APIRouter(prefix="/studio")
_SHOWN: Final = {"JPEG", "PNG", "WEBP", "GIF", "AVIF"}  # by browsers
_HEAD: Final = 4096  # bytes that tell a format
_SIDE: Final = 2048  # pixels, of pictures that are converted


@router.get("/thumbnails/{row}")
async def thumbnail(row: int, request: Request, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """A JPEG of at most 320 pixels a side; 304 if ``If-None-Match`` names it.

    404: the picture does not exist, or is not in a folder that may be read; 415: it cannot be shown, see
    ``detail``.

    The latest request is served first; disconnected clients are dropped.
    """
    version = await _version(dataset, row)
    headers = _headers(version)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    making = asyncio.ensure_future(workspace.thumbnails.get(version))
    leaving = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({making, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not making.done():
            return Response(status_code=499)
        found = making.result()
    finally:
        making.cancel()
        leaving.cancel()
    if found.problem:
        raise _cannot_be_shown(dataset, row, found.problem)
    return Response(found.data, media_type="image/jpeg", headers=headers)


@router.get("/pictures/{row}")
async def picture(row: int, request: Request, dataset: OpenDataset) -> Response:
    """The unchanged picture if browsers show its format, else a JPEG of at most 2048 pixels a side.

    Statuses as for thumbnails.
    """
    version = await _version(dataset, row)
    headers = _headers(version)
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    try:
        file = version.location.file()
        found = await asyncio.to_thread(_format, version.location)
        if found in _SHOWN and file is not None:
            return FileResponse(file, media_type=MIMES[found], headers=headers)
        if found in _SHOWN:
            data = await asyncio.to_thread(version.location.read)
            return Response(data, media_type=MIMES[found], headers=headers)
        data = await asyncio.to_thread(small_jpeg, Picture(version.location), _SIDE)
    except PictureError as error:
        raise _cannot_be_shown(dataset, row, error.kind) from error
    return Response(data, media_type="image/jpeg", headers=headers)


@router.get("/objects/{row}")
async def objects(row: int, dataset: OpenDataset, workspace: OpenWorkspace) -> dict[str, Any]:
    """Suggested tags of a picture: ``objects`` by name, with a probability of at least 0.1.

    ``needs`` is the command that installs the recognition, if it is missing. Statuses as for thumbnails.
    """
    version = await _version(dataset, row)
    try:
        found = await asyncio.to_thread(workspace.recognition.objects, version.location)
    except PictureError as error:
        raise _cannot_be_shown(dataset, row, error.kind) from error
    except MissingExtra as error:
        return {"objects": [], "needs": str(error)}
    return {
        "objects": [{"name": each.name, "probability": each.probability} for each in found],
        "needs": "",
    }


async def _version(dataset: Dataset, row: int) -> PictureVersion:
    """Raises ServiceError 404: there is no such row, or its picture does not exist or may not be read."""
    check_row(dataset, row)
    try:
        return await asyncio.to_thread(lambda: PictureVersion.of(dataset.location(row)))
    except PictureError as error:
        raise ServiceError(404, f"{dataset.entries[row].key} cannot be shown: {error}") from None
    except OSError:
        raise ServiceError(404, f"{dataset.entries[row].key} does not exist any more") from None


def _headers(version: PictureVersion) -> dict[str, str]:
    """Headers for the browser's cache, which must revalidate each time."""
    return {"ETag": f'"{version.size:x}-{version.mtime:x}"', "Cache-Control": "private, no-cache"}


def _cannot_be_shown(dataset: Dataset, row: int, problem: str) -> ServiceError:
    return ServiceError(415, f"{dataset.entries[row].key} cannot be shown: {problem}")


def _format(location: Location) -> str | None:
    """The format by content, not by name. PictureError: it cannot be read."""
    file = location.file()
    if file is None:
        return sniff_format(location.read()[:_HEAD])
    descriptor, _ = open_regular(file)
    try:
        return sniff_format(read_up_to(descriptor, _HEAD))
    finally:
        os.close(descriptor)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
