"""Bodies of requests and responses about captions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final, TypeVar

import orjson
from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from starlette.datastructures import FormData

from cutline.records import JSON
from cutline.service.caption_options import CaptionOptions
from cutline.service.described_model import DescribedModel
from cutline.service.errors import DEPRECATED, ServiceError, invalid_body, unknown_field
from cutline.service.http import openapi
from cutline.service.pictures import MAX_PATH

Body = TypeVar("Body", bound=BaseModel)
PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH)]
UrlText = Annotated[str, Field(min_length=1, max_length=8192)]

_NAMES: Final = tuple(CaptionOptions.model_fields)


class RequestOptions(CaptionOptions):
    """The options beside the picture, and the object that held them before."""

    wish: CaptionOptions = Field(
        CaptionOptions(),
        description="Deprecated: set these options beside the picture instead.",
        json_schema_extra={"deprecated": True},
    )

    @model_validator(mode="after")
    def _unambiguous(self) -> RequestOptions:
        for name in _NAMES:
            value, old = getattr(self, name), getattr(self.wish, name)
            if value is not None and old is not None and value != old:
                alias = CaptionOptions.model_fields[name].alias or name
                cure = f"leave {DEPRECATED} out, which is deprecated"
                raise ValueError(f"{alias} and {DEPRECATED}.{alias} differ: {cure}")
        return self

    @property
    def options(self) -> CaptionOptions:
        return self.wish.model_copy(update=self.model_dump(include={*_NAMES}, exclude_none=True))


class _OneSource(DescribedModel):
    image_path: PathText | None = Field(None, examples=["sunset.jpg"])
    """A path below an image root of the service."""
    image_url: UrlText | None = Field(None, examples=["https://example.org/sunset.jpg"])
    """An address that the service downloads the picture from."""
    image_base64: str | None = Field(None, min_length=1)
    """The bytes of the picture as base64."""


class OnePicture(RequestOptions, _OneSource):
    """A picture by its path, its URL or its bytes as base64: exactly one of them; and options.

    A path is relative to an image root of the service.
    """


class _ManySources(DescribedModel):
    image_paths: list[PathText] | None = Field(None, min_length=1, examples=[["sunset.jpg", "a/harbour.jpg"]])
    """Paths below an image root of the service."""
    image_urls: list[UrlText] | None = Field(None, min_length=1)
    """Addresses that the service downloads the pictures from."""
    images_base64: list[Annotated[str, Field(min_length=1)]] | None = Field(None, min_length=1)
    """The bytes of each picture as base64."""


class ManyPictures(RequestOptions, _ManySources):
    """Pictures by their paths, URLs or bytes as base64, in the order of the response; and options.

    One of the three lists is given. Paths are relative to an image root of the service.
    """


class QueuedPictures(ManyPictures):
    """Pictures by their paths, URLs or bytes as base64; ``webhook_url`` is called when the job has ended."""

    webhook_url: str | None = Field(None, min_length=1, max_length=2048)
    """An address that gets the result with POST when the job has ended."""


class StepText(DescribedModel):
    """The text of one step of a chain."""

    name: str
    """The name of the step."""
    text: str
    """What the step wrote."""
    model: str
    """The model of the step."""
    fields: dict[str, Any] | None = None
    """The values of a structured reply."""


class Captioned(DescribedModel):
    """A caption and how it was made. ``fields`` are those of a structured caption, ``checks`` the notes of
    the service's checks, by name.

    Of a chain with several steps ``steps`` has the texts of all, and ``missing_steps`` the optional ones
    that failed, each with the kind of its failure; tokens and seconds are those of all steps.
    """

    image_path: str
    """The path, URL or file name that was sent."""
    caption: str
    """The caption."""
    fields: dict[str, Any] | None = None
    """The values of a structured caption."""
    checks: dict[str, Any] | None = None
    """Notes of the checks of the service, by name."""
    steps: list[StepText] | None = None
    """Of a chain with several steps: the text of each."""
    missing_steps: dict[str, str] | None = None
    """Optional steps that failed, each with the kind of its failure."""
    model: str | None = None
    """The model that wrote the caption."""
    prompt_id: str | None = None
    """The name of the prompt and a digest of its text."""
    prompt_tokens: int = 0
    """Tokens that were sent."""
    completion_tokens: int = 0
    """Tokens of the reply."""
    seconds: float = 0.0
    """Duration of the requests to the model."""


class NotCaptioned(DescribedModel):
    """Why a picture has no caption: a message, and the kind of failure."""

    image_path: str
    """The path, URL or file name that was sent."""
    caption: None
    """Always null."""
    error: str
    """What went wrong."""
    kind: str
    """The kind of failure, a stable word."""


_FILE: Final[JSON] = {"type": "string", "format": "binary", "description": "A picture as a file."}


def _texts(fields: Mapping[str, FieldInfo]) -> JSON:
    """The fields as texts of a form."""
    return {
        field.alias or name: {"type": "string", "description": field.description}
        for name, field in fields.items()
    }


_TEXTS: Final[JSON] = _texts(CaptionOptions.model_fields)
_JSON_ONLY: Final = {*OnePicture.model_fields, *ManyPictures.model_fields} - {*_NAMES}
"""Fields that a form does not have: its pictures are files, and its options were always flat."""


def one_picture_body() -> JSON:
    """The body of ``/caption``, for ``openapi_extra``."""
    return openapi.body(OnePicture, {"properties": {"image": _FILE, **_TEXTS}, "required": ["image"]})


def many_pictures_body(kind: type[ManyPictures]) -> JSON:
    """The body of a batch, for ``openapi_extra``."""
    files = {"type": "array", "items": _FILE, "minItems": 1, "description": "Pictures as files."}
    known = ManyPictures.model_fields
    own = _texts({name: field for name, field in kind.model_fields.items() if name not in known})
    return openapi.body(kind, {"properties": {"images": files, **_TEXTS, **own}, "required": ["images"]})


def parse(kind: type[Body], data: bytes | dict[str, Any]) -> Body:
    """JSON or its values as a ``kind``; raises ServiceError: 400 for invalid JSON, 422 for wrong fields."""
    try:
        return kind.model_validate_json(data) if isinstance(data, bytes) else kind.model_validate(data)
    except ValidationError as error:
        raise invalid_body(error, kind) from None


def parse_form(kind: type[Body], form: FormData) -> Body:
    """The fields of a form beside its files, of which ``schema`` is JSON; raises ServiceError 422."""
    fields = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    values: dict[str, Any] = dict(fields)
    if "schema" in values:
        try:
            values["schema"] = orjson.loads(values["schema"])
        except orjson.JSONDecodeError:
            raise ServiceError(422, "schema: is not valid JSON") from None
    known = [field.alias or name for name, field in kind.model_fields.items() if name not in _JSON_ONLY]
    for name in values:
        if name not in known:
            raise unknown_field(name, known)
    if len(values) < len(fields):
        again = next(name for place, (name, _) in enumerate(fields) if name in dict(fields[:place]))
        raise ServiceError(422, f"{again}: is given more than once")
    return parse(kind, values)
