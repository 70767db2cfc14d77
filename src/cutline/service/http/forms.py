"""Pictures that come as the files of a form."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Final

from fastapi import HTTPException, Request
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as AnyHTTPException

from cutline.records import Sample
from cutline.service.pictures import Pictures

_MAX_FIELDS: Final = 20
_LONGEST: Final = 200  # letters of a name that is told
_TOO_MANY: Final = "Too many files"  # Starlette says only this of what is wrong


def is_form(request: Request) -> bool:
    """Whether the body is a form; else it is JSON.

    Raises:
        HTTPException: 415, it is neither.
    """
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in {"multipart/form-data", "application/json"}:
        raise HTTPException(415, "send application/json or multipart/form-data")
    return kind == "multipart/form-data"


@contextlib.asynccontextmanager
async def opened_form(request: Request, most: int) -> AsyncIterator[FormData]:
    """The request's form, which holds at most so many files.

    Raises:
        HTTPException: 413 for more of them, 400 for what is no form.
    """
    try:
        form = await request.form(max_files=most, max_fields=_MAX_FIELDS)
    except AnyHTTPException as error:
        if error.status_code == 400 and error.detail.startswith(_TOO_MANY):
            raise HTTPException(413, f"at most {most} picture{'s' * (most > 1)} a request") from None
        raise
    try:
        yield form
    finally:
        await form.close()


async def uploads_of(form: FormData, field: str, pictures: Pictures) -> list[Sample]:
    """The files of that field, in their order; raises HTTPException 422 for a text, and for other files."""
    for name, value in form.multi_items():
        if isinstance(value, UploadFile) and name != field:
            raise HTTPException(422, f"there is no field {name[:_LONGEST]} for files: send them as {field}")
    samples = []
    for value in form.getlist(field):
        if not isinstance(value, UploadFile):
            raise HTTPException(422, f"the field {field} must be a file")
        samples.append(pictures.by_bytes(await value.read(), value.filename or field))
    return samples
