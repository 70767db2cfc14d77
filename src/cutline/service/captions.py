"""Captions that are waited for: one picture, or a batch."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import orjson
from fastapi import APIRouter, HTTPException, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from cutline.records import JSON, Caption, Sample
from cutline.service.answers import body_of, error_of
from cutline.service.pictures import Pictures
from cutline.service.wishes import Wish

Body = TypeVar("Body", bound=BaseModel)

router = APIRouter(tags=["captions"])


class OnePicture(BaseModel):
    """A picture by its path, its URL or its bytes as base64: exactly one of them; and what is wished for."""

    model_config = ConfigDict(extra="forbid")

    image_path: str | None = Field(None, min_length=1, max_length=4096)
    image_url: str | None = Field(None, min_length=1, max_length=8192)
    image_base64: str | None = Field(None, min_length=1)
    wish: Wish = Wish()


class ManyPictures(BaseModel):
    """Pictures by their paths, in the order of the answers."""

    model_config = ConfigDict(extra="forbid")

    image_paths: list[str] = Field(min_length=1)
    wish: Wish = Wish()


@router.post("/caption")
async def caption(request: Request) -> JSON:
    """One picture, as JSON or as the multipart field ``image``."""
    sample, wish = await _one(request)
    outcome = await request.app.state.desk.caption(sample, wish)
    if not isinstance(outcome, Caption):
        raise error_of(outcome)
    return body_of(sample.key, outcome)


@router.post("/batch-caption")
async def batch_caption(request: Request) -> list[JSON]:
    """Several pictures, as JSON or as repeated multipart fields ``images``; each fails by itself."""
    samples, wish = await many(request)
    desk = request.app.state.desk
    outcomes = await asyncio.gather(*(desk.caption(sample, wish) for sample in samples))
    return [body_of(sample.key, outcome) for sample, outcome in zip(samples, outcomes, strict=True)]


async def _one(request: Request) -> tuple[Sample, Wish]:
    pictures: Pictures = request.app.state.pictures
    if _is_form(request):
        async with request.form(max_files=1, max_fields=20) as form:
            samples = await _uploads(form, "image", pictures)
            if len(samples) != 1:
                raise HTTPException(422, "send one picture as the field image")
            return samples[0], _wish_of(form)
    asked = _read(OnePicture, await request.body())
    given = [value for value in (asked.image_path, asked.image_url, asked.image_base64) if value is not None]
    if len(given) != 1:
        raise HTTPException(422, "give one of image_path, image_url and image_base64")
    if asked.image_path is not None:
        return pictures.by_path(asked.image_path), asked.wish
    if asked.image_url is not None:
        return pictures.by_url(asked.image_url), asked.wish
    return pictures.by_base64(given[0]), asked.wish


async def many(request: Request) -> tuple[list[Sample], Wish]:
    """The pictures of a batch and what is wished for them.

    Raises:
        HTTPException: 413 for more pictures than are allowed, 422 for none.
    """
    pictures: Pictures = request.app.state.pictures
    most = request.app.state.settings.max_pictures
    if _is_form(request):
        async with request.form(max_files=most, max_fields=20) as form:
            samples, wish = await _uploads(form, "images", pictures), _wish_of(form)
    else:
        asked = _read(ManyPictures, await request.body())
        if len(asked.image_paths) > most:
            raise HTTPException(413, f"at most {most} pictures a request")
        samples, wish = [pictures.by_path(path) for path in asked.image_paths], asked.wish
    if not samples:
        raise HTTPException(422, "send pictures as the fields images")
    return samples, wish


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith("multipart/form-data")


async def _uploads(form: FormData, field: str, pictures: Pictures) -> list[Sample]:
    samples = []
    for value in form.getlist(field):
        if not isinstance(value, UploadFile):
            raise HTTPException(422, f"the field {field} must be a file")
        samples.append(pictures.by_bytes(await value.read(), value.filename or field))
    return samples


def _wish_of(form: FormData) -> Wish:
    """The wish in a form's other fields: texts, with numbers and the schema as JSON."""
    values: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str):
            values[name] = orjson.loads(value) if name == "schema" else value
    return _read(Wish, values)


def _read(kind: type[Body], data: Any) -> Body:
    """The body as a model.

    Raises:
        HTTPException: 422, naming the first thing that is wrong.
    """
    try:
        return kind.model_validate_json(data) if isinstance(data, bytes) else kind.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise HTTPException(422, f"{where}: {first['msg']}".lstrip(": ")) from None
