"""Captions that are waited for: one picture, or a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import Annotated, Any, Final, TypeVar

import orjson
from fastapi import APIRouter, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import FormData

from cutline.records import JSON, Caption, Outcome, Problem, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.http import openapi
from cutline.service.http.bodies import check_values
from cutline.service.http.disconnect import while_connected
from cutline.service.http.forms import is_form, opened_form, uploads_of
from cutline.service.http.responses import body_of, error_of
from cutline.service.pictures import MAX_PATH, Pictures
from cutline.service.request_errors import refusal_of

Body = TypeVar("Body", bound=BaseModel)
PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH)]
UrlText = Annotated[str, Field(min_length=1, max_length=8192)]

router = APIRouter(tags=["captions"])
_BIG: Final = 200_000  # bytes; reading more is left to a thread


class OnePicture(BaseModel):
    """A picture by its path, its URL or its bytes as base64: exactly one of them; and what is wished for.

    A path is relative to an image root of the service.
    """

    model_config = ConfigDict(extra="forbid")

    image_path: PathText | None = Field(None, examples=["sunset.jpg"])
    image_url: UrlText | None = Field(None, examples=["https://example.org/sunset.jpg"])
    image_base64: str | None = Field(None, min_length=1)
    wish: CaptionOptions = CaptionOptions()


class ManyPictures(BaseModel):
    """Pictures by their paths, their URLs or their bytes as base64, in the order of the answers.

    One of the three lists is given. Paths are relative to an image root of the service.
    """

    model_config = ConfigDict(extra="forbid")

    image_paths: list[PathText] | None = Field(None, min_length=1, examples=[["sunset.jpg", "a/harbour.jpg"]])
    image_urls: list[UrlText] | None = Field(None, min_length=1)
    images_base64: list[Annotated[str, Field(min_length=1)]] | None = Field(None, min_length=1)
    wish: CaptionOptions = CaptionOptions()


Many = TypeVar("Many", bound=ManyPictures)


class StepText(BaseModel):
    """What one step of a chain said."""

    name: str
    text: str
    model: str
    fields: dict[str, Any] | None = None


class Captioned(BaseModel):
    """A caption and how it came about. ``fields`` are those of a structured caption.

    Of a chain with several steps ``steps`` has the texts of all, and ``missing_steps`` the optional ones
    that failed, each with the kind of its failure; tokens and seconds are those of all steps.
    """

    image_path: str
    caption: str
    fields: dict[str, Any] | None = None
    steps: list[StepText] | None = None
    missing_steps: dict[str, str] | None = None
    model: str | None = None
    prompt_id: str | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class NotCaptioned(BaseModel):
    """Why a picture has no caption: in words, and as the kind of failure."""

    image_path: str
    caption: None
    error: str
    kind: str


_WISHES: Final[JSON] = {
    name: {"type": "string"}
    for name in (
        "prompt",
        "system_prompt",
        "language",
        "schema",
        "max_tokens",
        "temperature",
        "top_p",
        "seed",
        "chain",
    )
}
_FILE: Final[JSON] = {"type": "string", "format": "binary"}
_ONE_AS_FORM: Final[JSON] = {"properties": {"image": _FILE, **_WISHES}, "required": ["image"]}
MANY_AS_FORM: Final[JSON] = {
    "properties": {"images": {"type": "array", "items": _FILE, "minItems": 1}, **_WISHES},
    "required": ["images"],
}
MANY_BODY: Final = openapi.body(ManyPictures, MANY_AS_FORM)
"""The body of a batch, for the ``openapi_extra`` of a route."""


@router.post(
    "/caption",
    response_model=Captioned,
    responses={404: {}},
    openapi_extra=openapi.body(OnePicture, _ONE_AS_FORM),
)
async def caption(request: Request) -> Response:
    """One picture, as JSON or as the multipart field ``image``."""
    sample, wish = await _one(request)
    desk: CaptioningService = request.app.state.desk
    outcome = await while_connected(request, desk.caption(sample, wish))
    desk.note(outcome)
    if not isinstance(outcome, Caption):
        raise error_of(outcome)
    return _json(body_of(sample.key, outcome))


@router.post("/batch-caption", response_model=list[Captioned | NotCaptioned], openapi_extra=MANY_BODY)
async def batch_caption(request: Request) -> Response:
    """Several pictures, as JSON or as repeated multipart fields ``images``; each fails by itself."""
    samples, wish = await many(request)
    outcomes = await while_connected(request, _each(request.app.state.desk, samples, wish))
    return _json([body_of(sample.key, outcome) for sample, outcome in zip(samples, outcomes, strict=True)])


async def _each(desk: CaptioningService, samples: Sequence[Sample], wish: CaptionOptions) -> list[Outcome]:
    """The outcomes in the order of the samples; as many at once as the model takes."""
    left = iter(enumerate(samples))
    outcomes: dict[int, Outcome] = {}

    async def work() -> None:
        for place, sample in left:
            outcomes[place] = await desk.caption(sample, wish)
            desk.note(outcomes[place])

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(len(samples), 2 * desk.slots + 16)):
                group.create_task(work())
    except* Exception as errors:  # noqa: BLE001 - each is the same: the model cannot be asked in this way
        raise errors.exceptions[0] from None
    return [outcomes[place] for place in range(len(samples))]


def _json(content: object) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


async def _one(request: Request) -> tuple[Sample, CaptionOptions]:
    pictures: Pictures = request.app.state.pictures
    if is_form(request):
        async with opened_form(request, 1) as form:
            samples = await uploads_of(form, "image", pictures)
            if len(samples) != 1:
                raise HTTPException(422, "send one picture as the field image")
            return samples[0], _wish_of(form)
    asked = await read(OnePicture, request)
    given = [value for value in (asked.image_path, asked.image_url, asked.image_base64) if value is not None]
    if len(given) != 1:
        raise HTTPException(422, "give one of image_path, image_url and image_base64")
    if asked.image_path is not None:
        return await asyncio.to_thread(_by_path, pictures, asked.image_path), asked.wish
    if asked.image_url is not None:
        return pictures.by_url(asked.image_url), asked.wish
    if len(given[0]) > _BIG:
        return await asyncio.to_thread(pictures.by_base64, given[0]), asked.wish
    return pictures.by_base64(given[0]), asked.wish


async def many(request: Request) -> tuple[list[Sample], CaptionOptions]:
    """The pictures of a batch and what is wished for them; raises as ``batch_of``."""
    samples, asked = await batch_of(request, ManyPictures)
    return samples, asked.wish


async def batch_of(request: Request, kind: type[Many]) -> tuple[list[Sample], Many]:
    """The pictures of a batch, and the rest of what was asked; of a form, its fields of that ``kind``.

    Raises:
        HTTPException: 413 for more pictures than are allowed, 422 for none.
    """
    pictures: Pictures = request.app.state.pictures
    most = request.app.state.settings.max_pictures
    if is_form(request):
        async with opened_form(request, most) as form:
            samples, asked = await uploads_of(form, "images", pictures), _asked_of(form, kind)
    else:
        asked = await read(kind, request)
        samples = await asyncio.to_thread(_listed, pictures, asked, most)
    if not samples:
        raise HTTPException(422, "send pictures as the fields images")
    return samples, asked


def _listed(pictures: Pictures, asked: ManyPictures, most: int) -> list[Sample]:
    paths, urls, texts = asked.image_paths, asked.image_urls, asked.images_base64
    given = [one for one in (paths, urls, texts) if one is not None]
    if len(given) != 1:
        raise HTTPException(422, "give one of image_paths, image_urls and images_base64")
    if len(given[0]) > most:
        raise HTTPException(413, f"at most {most} pictures a request")
    if paths is not None:
        return [_by_path(pictures, path) for path in paths]
    if urls is not None:
        return [pictures.by_url(url) for url in urls]
    return [pictures.by_base64(text, f"image-{place}") for place, text in enumerate(given[0])]


def _by_path(pictures: Pictures, path: str) -> Sample:
    """A path that is not open to requests fails by itself, as any other picture."""
    try:
        return pictures.by_path(path)
    except HTTPException as error:
        return Sample(key=path, location=None, problem=Problem(kind="blocked-path", message=error.detail))


def _asked_of(form: FormData, kind: type[Many]) -> Many:
    """What a form asks for besides its pictures: the fields of ``kind``, the others being the wish's."""
    own = {name: form[name] for name in kind.model_fields.keys() - ManyPictures.model_fields if name in form}
    return _checked(kind, own).model_copy(update={"wish": _wish_of(form, own.keys())})


def _wish_of(form: FormData, others: Collection[str] = ()) -> CaptionOptions:
    """The wish in a form's other fields: texts, with numbers and the schema as JSON."""
    values: dict[str, Any] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and name not in others:
            try:
                values[name] = orjson.loads(value) if name == "schema" else value
            except orjson.JSONDecodeError:
                raise HTTPException(422, "schema: this is no JSON") from None
    return _checked(CaptionOptions, values)


async def read(kind: type[Body], request: Request) -> Body:
    """The body of a request, which is JSON.

    Raises:
        HTTPException: 400 for what is no JSON, 413 for too many values, 422 naming the first thing that is
            wrong.
    """
    data = await request.body()
    check_values(data, request.app.state.settings.max_pictures)
    return await asyncio.to_thread(_checked, kind, data) if len(data) > _BIG else _checked(kind, data)


def _checked(kind: type[Body], data: Any) -> Body:
    try:
        return kind.model_validate_json(data) if isinstance(data, bytes) else kind.model_validate(data)
    except ValidationError as error:
        raise refusal_of(error, kind) from None
