"""The pictures that requests name, send or link to, as samples."""

from __future__ import annotations

import binascii
import contextlib
import dataclasses
import os.path
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pybase64

from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.locations.http import Fetcher, FetchLimits
from cutline.locations.roots import ImageRoot
from cutline.locations.stored import InlineBytes, LocalFile, RemoteFile
from cutline.prompts import Example
from cutline.prompts.template import EXAMPLE_LIMITS
from cutline.records import Problem, Sample
from cutline.service.admission import Admission
from cutline.service.errors import Overloaded, ServiceError
from cutline.worker_threads import in_thread

_BLANKS: Final = dict.fromkeys(map(ord, " \t\r\n"))
MAX_NAME: Final = 1_000
MAX_PATH: Final = 4_096
_MAX_DOWNLOADS: Final = 64
_LIMITS: Final = FetchLimits(
    max_bytes=32_000_000,
    seconds=30.0,
    connect_seconds=5.0,
    idle_seconds=10.0,
    retries=1,
    total=_MAX_DOWNLOADS,
)


class Pictures:
    """Opens paths below the given folders only, and accesses no other."""

    def __init__(self, roots: tuple[Path, ...]) -> None:
        self._roots = [ImageRoot(str(root)) for root in roots]

    def by_path(self, path: str) -> Sample:
        """The picture at a path; one outside the folders is a ``blocked-path``, whether it exists or not."""
        if not self._roots:
            return _failed(path, "blocked-path", "paths are not accepted: send the picture itself")
        inside = None
        for root in self._roots:
            _, found = root.find(path, path)
            if isinstance(found, LocalFile):
                if os.path.isfile(found.name):  # noqa: PTH113 - a name that is too long is just not there
                    return Sample(key=path, location=found)
                if os.path.exists(found.name):  # noqa: PTH110 - the same
                    return _failed(path, "unsupported", "not a picture")
                inside = found
        if inside is None:
            return _failed(path, "blocked-path", "the path is not below a folder that is open to requests")
        return _failed(path, "missing", "there is no such picture")

    def by_url(self, url: str) -> Sample:
        return Sample(key=url, location=RemoteFile(url))

    def by_base64(self, text: str, name: str = "image") -> Sample:
        """A picture as base64, with or without a ``data:`` URL around it; raises ServiceError 422."""
        encoded = text.partition(",")[2] if text[:5].lower() == "data:" else text
        try:
            data = _decoded(encoded)
        except (binascii.Error, ValueError):
            raise ServiceError(422, f"{name} is not valid base64") from None
        return self.by_bytes(data, name)

    def by_bytes(self, data: bytes, name: str) -> Sample:
        return Sample(key=name[:MAX_NAME], location=InlineBytes(data, name[:MAX_NAME]))


class Downloads:
    """Fetches pictures that clients link to; their bytes count as those that requests sent.

    The fetcher bounds how many run at once, in all and for each host.
    """

    def __init__(self, admission: Admission, *, allow_private: bool, user_agent: str | None) -> None:
        self._admission, self._allow_private, self._user_agent = admission, allow_private, user_agent
        self._fetcher: Fetcher | None = None

    @contextlib.asynccontextmanager
    async def local(self, sample: Sample) -> AsyncIterator[Sample]:
        """The sample with its picture's bytes, while they are needed; raises PictureError."""
        if not isinstance(sample.location, RemoteFile):
            yield sample
            return
        self._fetcher = self._fetcher or Fetcher(
            allow_private=self._allow_private, user_agent=self._user_agent, limits=_LIMITS
        )
        found = await self._fetcher.fetch(
            sample.location.url()
        )  # waits behind others of its host, and in all
        size = len(found.data)
        try:
            self._admission.hold(size)
        except Overloaded as error:
            if not self._admission.can_ever_hold(size):
                raise PictureError("too-large", "the picture is too large") from None
            raise PictureError("overloaded", error.message) from None
        try:
            yield dataclasses.replace(sample, location=found)
        finally:
            self._admission.release(size)

    async def examples(
        self, samples: Sequence[Sample], stack: contextlib.AsyncExitStack, *, max_pixels: int
    ) -> list[Example]:
        """Pictures to show beside the captioned one, fitted for any model; raises PictureError.

        Their bytes count as held until the stack is closed.
        """
        found = []
        for sample in samples:
            local = await stack.enter_async_context(self.local(sample))
            assert local.location is not None
            picture = Picture(local.location, max_pixels=max_pixels)
            encoded = await in_thread(picture.fit, EXAMPLE_LIMITS)
            found.append(Example(image=encoded.data, mime=encoded.mime, explanation=""))
        return found

    async def aclose(self) -> None:
        if self._fetcher is not None:
            await self._fetcher.aclose()


def _failed(path: str, kind: str, message: str) -> Sample:
    return Sample(key=path, location=None, problem=Problem(kind=kind, message=message))


def _decoded(encoded: str) -> bytes:
    """The bytes of base64 as programs write it: in lines, URL-safe, percent-encoded, or without padding."""
    if "%" in encoded[-12:]:
        encoded = unquote(encoded)
    data = encoded.translate(_BLANKS).rstrip("=")
    altchars = b"-_" if "-" in data or "_" in data else None
    return pybase64.b64decode(data + "=" * (-len(data) % 4), altchars=altchars, validate=True)
