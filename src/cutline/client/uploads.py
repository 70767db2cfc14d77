"""Pictures on their way to the service: read here, and parted into requests of a reasonable size."""

from __future__ import annotations

import asyncio
import dataclasses
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal

import aiohttp
import orjson

from cutline.client.records import Image, ServerPath
from cutline.errors import ConfigError, PictureError
from cutline.records import JSON, CaptionOptions

Kind = Literal["path", "url", "upload"]
_MOST: Final = 32  # pictures in one request of a batch
_MOST_BYTES: Final = 16_000_000  # unless one picture alone has more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One picture as it is sent. ``data`` is what it holds, or ``file`` says where that lies."""

    place: int
    name: str
    kind: Kind
    data: bytes | None = dataclasses.field(default=None, repr=False)
    file: Path | None = None

    @property
    def size(self) -> int:
        """Bytes that are to be uploaded; 0 for a file that is not there, which is told when it is read."""
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


def sent(image: Image, place: int = 0) -> Sent:
    """How that picture is sent.

    Raises:
        ConfigError: it is none.
    """
    if isinstance(image, bytes | bytearray):
        return Sent(place=place, name=f"image-{place}", kind="upload", data=bytes(image))
    if isinstance(image, ServerPath):
        return Sent(place=place, name=str(image), kind="path")
    if isinstance(image, str) and image.startswith(("http://", "https://")):
        return Sent(place=place, name=image, kind="url")
    if isinstance(image, str | Path):
        return Sent(place=place, name=str(image), kind="upload", file=Path(image))
    raise ConfigError(f"a {type(image).__name__} is no picture: give a path, a URL or encoded bytes")


def groups(pictures: Sequence[Sent]) -> Iterator[list[Sent]]:
    """Pictures that fit one request: of one kind, in their order; a URL is always alone."""
    group: list[Sent] = []
    held = 0
    for picture in pictures:
        size = picture.size
        full = len(group) >= _MOST or held + size > _MOST_BYTES
        if group and (full or picture.kind != group[0].kind or picture.kind == "url"):
            yield group
            group, held = [], 0
        group.append(picture)
        held += size
    if group:
        yield group


def form_of(field: str, files: Sequence[tuple[str, bytes]], fields: Mapping[str, Any]) -> aiohttp.FormData:
    """Files as the fields of that name, and the other fields; the files' names keep their folders."""
    form = aiohttp.FormData(quote_fields=False)  # else names come as %C3%A4
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
    """A name as a header of a form can hold it."""
    line = "".join(" " if ord(char) < 32 else char for char in name)
    return line.encode("utf-8", "replace").decode()


def listed(images: Sequence[Image]) -> list[Sent]:
    """How those pictures are sent, each with its place.

    Raises:
        ConfigError: one is none, or they are no list.
    """
    if isinstance(images, str | bytes | bytearray | Path):
        raise ConfigError("give a list of pictures: [picture] for a single one")
    return [sent(image, place) for place, image in enumerate(images)]


def with_wishes(body: JSON, wishes: CaptionOptions) -> JSON:
    return {**body, "wish": dict(wishes)} if wishes else body
