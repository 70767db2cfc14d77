"""Save one caption, unless it was changed meanwhile."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict
from starlette.responses import Response

from cutline.dataset.records import EditInfo
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.studio.routes.parameters import Caption, OpenDataset, OpenWorkspace, Text, check_row

router = APIRouter(prefix="/studio")


class CaptionRequest(BaseModel):
    """The new caption, and the one shown on the page that it replaces, or null.

    ``key``: the path of the picture, to check the row, as row numbers change when a folder is opened again.
    """

    model_config = ConfigDict(extra="forbid")
    caption: Caption
    before: Text | None
    key: Text | None = None


@router.put("/captions/{row}")
async def save(row: int, body: CaptionRequest, dataset: OpenDataset, workspace: OpenWorkspace) -> Response:
    """Save a caption. 409, with the current ``caption``, if that is no longer ``before``.

    ``note`` of the response is that of the row, such as on its encoding.

    410: the row is another picture now. 507: it cannot be written; ``detail`` has the reason.
    """
    check_row(dataset, row)
    if body.key is not None and dataset.entries[row].key != body.key:
        raise ServiceError(410, f"row {row} is another picture now")
    info = EditInfo(kind="save", summary=f"edit {dataset.entries[row].key}", author="studio")
    caption = body.caption.strip()
    before = {row: body.before}
    result = await asyncio.to_thread(dataset.set_captions, {row: caption}, info, before)
    saved = dataset.caption(row)
    if result.conflicts and saved != caption:
        return json_response({"detail": "the caption was changed meanwhile", "caption": saved}, 409)
    if result.failed:
        return json_response({"detail": result.failed[0][1], "caption": saved}, 507)
    workspace.publish_changes([row])
    return json_response({"row": row, "caption": saved, "note": dataset.note(row)})
