"""Files of requests: those of an ordinary run, one per line."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import IO, Any

from cutline.captioners.hosted.openai import OpenAIChat
from cutline.chain import Chain
from cutline.chain.step import step_failure
from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.prepared_sample import Prepared
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stage_runner import StageRunner
from cutline.errors import ConfigError, PictureError, RunStopped
from cutline.files import sync_folder, write_errors
from cutline.formatting import stored_key
from cutline.records import Outcome, Sample, Step
from cutline.serialization import encode_json

MAX_FILE_REQUESTS = 50_000
MAX_FILE_BYTES = 200_000_000
PATH = "/v1/chat/completions"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FileLimits:
    """How large one file of requests may be."""

    max_file_requests: int = MAX_FILE_REQUESTS
    """Maximum number of requests in one file of a batch."""
    max_file_bytes: int = MAX_FILE_BYTES
    """Maximum size of one file of a batch, in bytes."""

    def check(self) -> None:
        """Raise ConfigError for limits below 1."""
        for name, value in dataclasses.asdict(self).items():
            if value < 1:
                raise ConfigError(f"--{name.replace('_', '-')} must be greater than 0, not {value}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A picture whose requests are ready for a file: the step's name and the body of each."""

    key: str
    content_id: str
    requests: Sequence[tuple[str, bytes]]


class RequestPipeline(SamplePipeline):
    """A pipeline that returns the requests for a sample instead of sending them."""

    def __init__(
        self, endpoint: OpenAIChat, chain: Chain, rules: SampleRules, stages: StageRunner, **stores: Any
    ) -> None:
        super().__init__(chain, rules, stages, **stores)
        self._endpoint = endpoint

    async def write(self, sample: Sample, known: tuple[Step, ...]) -> Written | Outcome:
        """The requests of all steps but the ``known`` ones; an outcome where none is needed.

        Raises:
            RunStopped: no picture can be captioned until the user changes something.
        """
        prepared = await self.prepare(sample, known)
        if not isinstance(prepared, Prepared):
            return prepared
        requests = []
        for step in self.chain.steps:
            try:
                prompt, digest = step.request(prepared.variables)
                if step.find(known, digest) is None:
                    await self._endpoint.prepare(prepared.picture)
                    requests.append((step.name, self._endpoint.request_of(prepared.picture, prompt)))
            except RunStopped:
                raise
            except MemoryError as error:
                return self._failure(sample, self.content_id(prepared), error, known)
            except Exception as error:  # noqa: BLE001 - as in a chain, it is this picture's failure
                place = f"step {step.name}: " if len(self.chain.steps) > 1 else ""
                return self._failure(
                    sample, self.content_id(prepared), step_failure(place, error, (), {}), known
                )
        if not requests:
            return (await self.caption(sample, known))[0]
        return Written(key=sample.key, content_id=self.content_id(prepared), requests=requests)


class RequestFile:
    """A file of requests while it is written; all requests about a picture are in one file.

    The manifest has it from ``seal`` on; what a death leaves before is overwritten.
    """

    def __init__(self, manifest: BatchManifest, limits: FileLimits) -> None:
        self._manifest = manifest
        self._limits = limits
        self._number = manifest.next_number
        self._files: tuple[IO[bytes], IO[bytes]] | None = None
        self.pictures = self.requests = self.size = 0

    def add(self, written: Written) -> bool:
        """Add the requests of one picture; returns False where they do not fit.

        Raises:
            PictureError: they do not fit into an empty file.
            SinkError: the file cannot be written.
        """
        lines = [self._line(place, body) for place, (_, body) in enumerate(written.requests)]
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
        with write_errors(self._manifest.folder):
            file, keys = self._files = self._files or self._open()
            for (step, _), line in zip(written.requests, lines, strict=True):
                file.write(line)
                row = {"key": stored_key(written.key), "stamp": written.content_id, "step": step}
                keys.write(encode_json(row) + b"\n")
        self.pictures += 1
        self.requests += len(lines)
        self.size += size
        return True

    def seal(self) -> Batch:
        """Make the file durable and record it; raises as ``add``."""
        with write_errors(self._manifest.folder):
            for file in self._files or ():
                file.flush()
                os.fsync(file.fileno())
            self.close()
            sync_folder(self._manifest.folder)
        return self._manifest.add(
            number=self._number, pictures=self.pictures, requests=self.requests, size=self.size
        )

    def close(self) -> None:
        for file in self._files or ():
            file.close()

    def _open(self) -> tuple[IO[bytes], IO[bytes]]:
        manifest, number = self._manifest, self._number
        return manifest.requests_file(number).open("wb"), manifest.keys_file(number).open("wb")

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
    """The inverse of ``custom_id``; None for an id of another batch than ``number``."""
    head, _, line = str(name).rpartition("-")
    return int(line) if head == f"cutline-{number}" and line.isdecimal() else None
