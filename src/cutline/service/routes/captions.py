"""Captions in the response: one picture, or a batch.

``POST /caption`` parses its request here, and ``CaptioningService.caption`` does the rest: it downloads the
picture, waits for a slot, and runs the prompts' chain of captioners.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect

from cutline.records import Caption, Outcome, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import ServiceError
from cutline.service.http.bodies import json_body
from cutline.service.http.forms import is_form, opened_form, uploads
from cutline.service.http.responses import json_response
from cutline.service.pictures import Pictures
from cutline.service.results import failure_error, result_json
from cutline.service.routes.schemas import (
    Captioned,
    ManyPictures,
    NotCaptioned,
    OnePicture,
    many_pictures_body,
    one_picture_body,
    parse,
    parse_form,
)
from cutline.slots import waiting_caller

Body = TypeVar("Body", bound=BaseModel)
Many = TypeVar("Many", bound=ManyPictures)
Result = TypeVar("Result")

router = APIRouter(tags=["captions"])
LARGE: Final = 200_000  # bytes; larger bodies are parsed in a thread


@router.post("/caption", response_model=Captioned, responses={404: {}}, openapi_extra=one_picture_body())
async def caption(request: Request) -> Response:
    """Caption one picture, as JSON or as the multipart field ``image``."""
    service: CaptioningService = request.app.state.service
    sample, options = await _read_picture(request)
    with waiting_caller():
        outcome = await while_connected(request, service.caption(sample, options))
    service.record(outcome)
    if not isinstance(outcome, Caption):
        raise failure_error(outcome)
    return json_response(result_json(sample.key, outcome))


@router.post(
    "/batch-caption",
    response_model=list[Captioned | NotCaptioned],
    openapi_extra=many_pictures_body(ManyPictures),
)
async def batch_caption(request: Request) -> Response:
    """Caption several pictures, as JSON or as repeated multipart fields ``images``; each fails by itself."""
    service: CaptioningService = request.app.state.service
    samples, body = await read_batch(request, ManyPictures)
    outcomes = await while_connected(request, _caption_all(service, samples, body.options))
    pairs = zip(samples, outcomes, strict=True)
    return json_response([result_json(sample.key, outcome) for sample, outcome in pairs])


async def _caption_all(
    service: CaptioningService, samples: Sequence[Sample], options: CaptionOptions
) -> list[Outcome]:
    """The outcomes in the order of the samples; as many at once as the model takes."""
    remaining = iter(enumerate(samples))
    outcomes: dict[int, Outcome] = {}

    async def work() -> None:
        for index, sample in remaining:
            outcomes[index] = await service.caption(sample, options)
            service.record(outcomes[index])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(samples), 2 * service.captioner.slots + 16)):
                group.create_task(work())
    except* Exception as errors:  # noqa: BLE001 - all workers have the same one: the model or its options
        raise errors.exceptions[0] from None
    return [outcomes[index] for index in range(len(samples))]


async def _read_picture(request: Request) -> tuple[Sample, CaptionOptions]:
    pictures: Pictures = request.app.state.pictures
    if is_form(request):
        async with opened_form(request, 1) as form:
            samples = await uploads(form, "image", pictures)
            if len(samples) != 1:
                raise ServiceError(422, "send one picture as the field image")
            return samples[0], parse_form(CaptionOptions, form)
    body = await read_json(OnePicture, request)
    given = [value for value in (body.image_path, body.image_url, body.image_base64) if value is not None]
    if len(given) != 1:
        raise ServiceError(422, "give one of image_path, image_url and image_base64")
    if body.image_path is not None:
        return await asyncio.to_thread(pictures.by_path, body.image_path), body.options
    if body.image_url is not None:
        return pictures.by_url(body.image_url), body.options
    if len(given[0]) > LARGE:
        return await asyncio.to_thread(pictures.by_base64, given[0]), body.options
    return pictures.by_base64(given[0]), body.options


async def read_batch(request: Request, kind: type[Many]) -> tuple[list[Sample], Many]:
    """The pictures of a batch, and its other fields; raises ServiceError 413 or 422."""
    pictures: Pictures = request.app.state.pictures
    limit: int = request.app.state.settings.max_pictures
    if is_form(request):
        async with opened_form(request, limit) as form:
            samples, body = await uploads(form, "images", pictures), parse_form(kind, form)
    else:
        body = await read_json(kind, request)
        samples = await asyncio.to_thread(_samples, pictures, body, limit)
    if not samples:
        raise ServiceError(422, "send pictures as the fields images")
    return samples, body


def _samples(pictures: Pictures, body: ManyPictures, limit: int) -> list[Sample]:
    paths, urls, texts = body.image_paths, body.image_urls, body.images_base64
    given = [one for one in (paths, urls, texts) if one is not None]
    if len(given) != 1:
        raise ServiceError(422, "give one of image_paths, image_urls and images_base64")
    if len(given[0]) > limit:
        raise ServiceError(413, f"at most {limit} pictures per request")
    if paths is not None:
        return [pictures.by_path(path) for path in paths]
    if urls is not None:
        return [pictures.by_url(url) for url in urls]
    return [pictures.by_base64(text, f"image-{index}") for index, text in enumerate(given[0])]


async def read_json(kind: type[Body], request: Request) -> Body:
    """The JSON body of a request; raises as ``parse``, and ServiceError 413 for too many values."""
    data = await json_body(request)
    return await asyncio.to_thread(parse, kind, data) if len(data) > LARGE else parse(kind, data)


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of ``work``; cancels it and raises ClientDisconnect when the client disconnects.

    The request's body must have been read.
    """

    async def disconnect() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    task, disconnected = asyncio.create_task(work), asyncio.create_task(disconnect())
    try:
        await asyncio.wait({task, disconnected}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        disconnected.cancel()
        task.cancel()
        # The slot must be free before anything else is done.
        await asyncio.gather(task, disconnected, return_exceptions=True)
