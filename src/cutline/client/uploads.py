"""Pictures to send: their kinds, the limits of a service, and the split into requests."""

from __future__ import annotations

import asyncio
import dataclasses
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, Self

import aiohttp
import orjson

from cutline.client.records import Image, ServerPath
from cutline.errors import ConfigError, PictureError
from cutline.imaging.picture_objects import encoded, is_one, items_of
from cutline.records import JSON

Kind = Literal["path", "url", "upload"]
_MAX_PICTURES: Final = 32  # in one request of a batch
_MAX_BYTES: Final = 16_000_000  # unless one picture alone has more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """A picture to send. An upload has its bytes in ``data`` or in ``file``."""

    index: int
    name: str
    kind: Kind
    data: bytes | None = dataclasses.field(default=None, repr=False)
    file: Path | None = None

    @property
    def size(self) -> int:
        """Bytes to upload; 0 for a missing file, which ``read`` reports."""
        if self.data is not None:
            return len(self.data)
        try:
            return self.file.stat().st_size if self.file is not None else 0
        except OSError:
            return 0

    async def read(self) -> bytes:
        """The encoded bytes of an upload.

        Raises:
            PictureError: ``missing`` or ``fetch``, when the file cannot be read.
        """
        if self.data is not None:
            return self.data
        assert self.file is not None
        try:
            return await asyncio.to_thread(self.file.read_bytes)
        except (FileNotFoundError, NotADirectoryError):
            raise PictureError("missing", f"{self.name}: there is no such file") from None
        except OSError as error:
            raise PictureError("fetch", f"{self.name}: {error.strerror}") from None

    async def loaded(self) -> ImageInput:
        """With its bytes in ``data``, where it is an upload; raises as ``read``."""
        return dataclasses.replace(self, data=await self.read()) if self.kind == "upload" else self


def image_input(image: Image, index: int = 0) -> ImageInput:
    """Classify a picture.

    Raises:
        ConfigError: it is not one.
        PictureError: ``decode``, when an image or an open file cannot be read.
    """
    if isinstance(image, ServerPath):
        return ImageInput(index=index, name=str(image), kind="path")
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        return ImageInput(index=index, name=image, kind="url")
    if isinstance(image, str | os.PathLike):
        return ImageInput(index=index, name=os.fspath(image), kind="upload", file=Path(image))
    name = f"image-{index}"
    try:
        data = encoded(image)
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's, as it reads the file only now
        raise PictureError("decode", f"{name}: {error}") from None
    if data is None:
        kind = type(image).__name__
        raise ConfigError(f"a {kind} is not a picture: pass a path, a URL, bytes, a Pillow image or an array")
    return ImageInput(index=index, name=name, kind="upload", data=data)


def request_groups(pictures: Sequence[ImageInput]) -> Iterator[list[ImageInput]]:
    """Split pictures into requests, each with pictures of one kind, in order; a URL is alone."""
    group: list[ImageInput] = []
    held = 0
    for picture in pictures:
        size = picture.size
        full = len(group) >= _MAX_PICTURES or held + size > _MAX_BYTES
        if group and (full or picture.kind != group[0].kind or picture.kind == "url"):
            yield group
            group, held = [], 0
        group.append(picture)
        held += size
    if group:
        yield group


def multipart_form(
    field: str, files: Sequence[tuple[str, bytes]], fields: Mapping[str, Any]
) -> aiohttp.FormData:
    """A form with files as the fields of that name, and other fields; file names keep their folders."""
    form = aiohttp.FormData(quote_fields=False)  # otherwise names are sent as %C3%A4
    for name, value in fields.items():
        form.add_field(name, orjson.dumps(value).decode() if name == "schema" else str(value))
    for name, data in files:
        form.add_field(
            field,
            io.BytesIO(data),
            filename=_sendable(name),
            content_type="application/octet-stream",
        )
    return form


def _sendable(name: str) -> str:
    """A name that can stand in a form's header."""
    line = "".join(" " if ord(char) < 32 else char for char in name)
    return line.encode("utf-8", "replace").decode()


def image_inputs(images: Iterable[Image]) -> list[ImageInput]:
    """Classify pictures; raises ConfigError if one is not a picture, or they are not a list."""
    if is_one(images):
        raise ConfigError("pass a list of pictures: [picture] for a single one")
    return [image_input(image, index) for index, image in enumerate(items_of(images))]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The service's limits: bytes of a request and pictures of a job; infinite if it does not report them."""

    max_body: float = math.inf
    max_pictures: float = math.inf

    @classmethod
    def from_models(cls, models: JSON) -> Self:
        """The limits in the response of `/models`."""
        limits = models.get("limits", {})
        names = [field.name for field in dataclasses.fields(cls)]
        return cls(**{name: float(limits[name]) for name in names if name in limits})

    async def check(self, pictures: Sequence[ImageInput]) -> None:
        """Raises ConfigError if the pictures are too many or too large for one job."""
        if len(pictures) > self.max_pictures:
            raise ConfigError(
                f"{len(pictures):,} pictures are too many for one job: the service accepts "
                f"{self.max_pictures:,.0f}; split the job, or raise CUTLINE_MAX_PICTURES on the server"
            )
        size = await asyncio.to_thread(lambda: sum(picture.size for picture in pictures))
        if size > self.max_body:
            raise ConfigError(
                f"{size / 1e6:,.0f} MB are too much for one job: the service accepts "
                f"{self.max_body / 1e6:,.0f} MB in a request; split the job, use ServerPath, or raise "
                "CUTLINE_MAX_BODY on the server"
            )
