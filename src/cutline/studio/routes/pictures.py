"""Pictures and their thumbnails."""

from __future__ import annotations

import asyncio
import io
import os

from fastapi import APIRouter
from starlette.responses import Response

from cutline.dataset.dataset import Dataset
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.locations.stored import LocalFile
from cutline.service.errors import ServiceError
from cutline.studio.routes.parameters import OpenDataset, check_row

router = APIRouter(prefix="/studio")
_CACHE = {"Cache-Control": "private, max-age=3600"}


@router.get("/thumbnails/{row}")
async def thumbnail(row: int, dataset: OpenDataset) -> Response:
    """A JPEG of at most 320 pixels a side."""
    data = await asyncio.to_thread(_jpeg, dataset, check_row(dataset, row), 320)
    return Response(data, media_type="image/jpeg", headers=_CACHE)


@router.get("/pictures/{row}")
async def picture(row: int, dataset: OpenDataset) -> Response:
    """The picture as a JPEG of at most 2048 pixels a side."""
    data = await asyncio.to_thread(_jpeg, dataset, check_row(dataset, row), 2048)
    return Response(data, media_type="image/jpeg", headers=_CACHE)


def _jpeg(dataset: Dataset, row: int, side: int) -> bytes:
    file = os.path.join(dataset.folder, dataset.entries[row].picture)  # noqa: PTH118 - strings
    try:
        image = Picture(LocalFile(file)).image(max_side=side)
    except PictureError as error:
        raise ServiceError(415, f"{dataset.entries[row].key} cannot be shown: {error.kind}") from error
    image.info.clear()
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=80)
    return buffer.getvalue()
