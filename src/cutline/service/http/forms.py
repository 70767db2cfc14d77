"""Multipart forms: pictures as files, options as fields."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request

from cutline.formatting import plural
from cutline.records import Sample
from cutline.service.errors import ServiceError
from cutline.service.pictures import Pictures

_FOR_SEVERAL: Final = "/batch-caption"
_MAX_FIELDS: Final = 20
_MAX_NAME: Final = 200
_TOO_MANY: Final = "Too many files"  # the only thing by which Starlette's error can be recognized


def is_form(request: Request) -> bool:
    """Whether the body is a form rather than JSON; raises ServiceError 415 if it is neither."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in {"multipart/form-data", "application/json"}:
        raise ServiceError(415, "send application/json or multipart/form-data")
    return kind == "multipart/form-data"


@contextlib.asynccontextmanager
async def opened_form(request: Request, max_files: int) -> AsyncIterator[FormData]:
    """The request's form; raises ServiceError 413 for more files, 400 for a damaged form."""
    try:
        form = await request.form(max_files=max_files, max_fields=_MAX_FIELDS)
    except HTTPException as error:
        status, message = error.status_code, error.detail
        if message.startswith(_TOO_MANY):
            status, message = 413, f"at most {plural(max_files, 'picture')} per request"
            if max_files == 1:
                message += f"; {_FOR_SEVERAL} takes several"
        raise ServiceError(status, message) from None
    try:
        yield form
    finally:
        await form.close()


async def uploads(form: FormData, field: str, pictures: Pictures) -> list[Sample]:
    """The files of that field, in their order; raises ServiceError 422 for a text, and for other files."""
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name != field:
            several = f", or several as images to {_FOR_SEVERAL}" if field == "image" else ""
            raise ServiceError(
                422, f"there is no field {name[:_MAX_NAME]} for files: send them as {field}{several}"
            )
    samples = []
    for value in form.getlist(field):
        if not isinstance(value, UploadFile):
            raise ServiceError(422, f"the field {field} must be a file")
        samples.append(pictures.by_bytes(await value.read(), value.filename or field))
    return samples
