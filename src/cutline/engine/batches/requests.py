"""Pictures to lines of batch files: what an ordinary run would ask, written down instead."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import IO, Any, Protocol

from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.sample_pipeline import Captioning
from cutline.errors import ConfigError, PictureError, SampleError
from cutline.files import sync_folder, write_errors
from cutline.imaging import Picture
from cutline.interfaces import Captioner
from cutline.prompts import Prompt
from cutline.records import Location, Reply, Sample
from cutline.serialization import encode_json

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
PATH = "/v1/chat/completions"
WRITTEN = "written-down"
"""The kind of what comes of a picture whose requests were written down: it is no failure."""

Request = tuple[str, bytes]
"""A prompt's name, and the body that asks it."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """How large one file of requests may be."""

    max_file_requests: int = MOST_REQUESTS
    """Most requests in one file of a batch."""
    max_file_bytes: int = MOST_BYTES
    """Most bytes of one file of a batch."""

    def check(self) -> None:
        """Refuse limits that no file could keep.

        Raises:
            ConfigError: names the option.
        """
        for name, value in dataclasses.asdict(self).items():
            if value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be greater than 0, not {value}")


class Asks(Protocol):
    """What is known of an endpoint's requests."""

    name: str

    async def prepare(self, picture: Picture) -> None: ...

    def request_of(self, picture: Picture, prompt: Prompt) -> bytes: ...

    async def aclose(self) -> None: ...


class KeyedPicture(Picture):
    """A picture that knows the key of its sample, and its content_id."""

    __slots__ = ("content_id", "key")

    def __init__(self, sample: Sample, location: Location, **options: Any) -> None:
        super().__init__(location, **options)
        self.key = sample.key
        self.content_id = sample.content_id


class Keyed(Captioning):
    """Captioning whose captioners are told whose picture they are asked about."""

    def picture_at(self, location: Location, sample: Sample) -> Picture:
        return KeyedPicture(
            sample, location, max_pixels=self._rules.max_pixels, keep_data=self._rules.keep_data
        )


class Writer(Captioner):
    """A captioner that writes requests down by the picture's key, and answers none of them."""

    def __init__(self, endpoint: Asks) -> None:
        self.name = endpoint.name
        self._endpoint = endpoint
        self._requests: dict[str, list[Request]] = {}

    async def prepare(self, picture: Picture) -> None:
        await self._endpoint.prepare(picture)

    async def caption(self, picture: Picture, prompt: Prompt) -> Reply:
        assert isinstance(picture, KeyedPicture)
        request = self._endpoint.request_of(picture, prompt)
        self._requests.setdefault(picture.key, []).append((prompt.name, request))
        raise SampleError(WRITTEN, "the request is written down")

    def take(self, key: str) -> list[Request]:
        """The requests about a picture; they are forgotten here."""
        return self._requests.pop(key, [])

    async def aclose(self) -> None:
        await self._endpoint.aclose()


class RequestFile:
    """The file of requests that is being written; all requests about a picture are in one file.

    Nothing is known of it before ``seal``: what a death leaves of it is written over.
    """

    def __init__(self, ledger: BatchManifest, limits: FileLimits) -> None:
        self._ledger = ledger
        self._limits = limits
        self._number = ledger.next_number
        self._files: tuple[IO[bytes], IO[bytes]] | None = None
        self.pictures = self.requests = self.size = 0

    def add(self, key: str, content_id: str, requests: Sequence[Request]) -> bool:
        """Add what is asked about one picture; False, and nothing done, where there is no room left.

        Raises:
            PictureError: no file has room for it.
            SinkError: the disk is full, and the like.
        """
        lines = [self._line(place, body) for place, (_, body) in enumerate(requests)]
        size = sum(map(len, lines))
        limits = self._limits
        if self.requests + len(lines) > limits.max_file_requests or self.size + size > limits.max_file_bytes:
            if self.requests:
                return False
            raise PictureError(
                "too-large",
                f"its {len(lines)} requests of {size:,} bytes are more than one file may hold: "
                "lower --max-side or set --max-bytes",
            )
        with write_errors(self._ledger.folder):
            file, keys = self._files = self._files or self._open()
            for (step, _), line in zip(requests, lines, strict=True):
                file.write(line)
                keys.write(encode_json({"key": key, "stamp": content_id, "step": step}) + b"\n")
        self.pictures += 1
        self.requests += len(lines)
        self.size += size
        return True

    def seal(self) -> Batch:
        """Make the file durable and known; raises as ``add``."""
        with write_errors(self._ledger.folder):
            for file in self._files or ():
                file.flush()
                os.fsync(file.fileno())
            self.close()
            sync_folder(self._ledger.folder)
        return self._ledger.add(
            number=self._number, pictures=self.pictures, requests=self.requests, size=self.size
        )

    def close(self) -> None:
        for file in self._files or ():
            file.close()

    def _open(self) -> tuple[IO[bytes], IO[bytes]]:
        ledger, number = self._ledger, self._number
        return ledger.requests_file(number).open("wb"), ledger.keys_file(number).open("wb")

    def _line(self, place: int, body: bytes) -> bytes:
        name = custom_id(self._number, self.requests + place)
        return b'{"custom_id":"%s","method":"POST","url":"%s","body":%s}\n' % (
            name.encode(),
            PATH.encode(),
            body,
        )


def custom_id(number: int, line: int) -> str:
    return f"cutline-{number}-{line}"


def line_of(number: int, name: object) -> int | None:
    """The inverse of ``custom_id``; None for an id that is none of the batch ``number``."""
    head, _, line = str(name).rpartition("-")
    return int(line) if head == f"cutline-{number}" and line.isdecimal() else None
