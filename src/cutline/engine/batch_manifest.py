"""The record of what was sent to a batch API, written before and after each step."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, Self

import orjson

from cutline.engine.fingerprint import Fingerprint
from cutline.engine.remote_records import read_record
from cutline.engine.state import State, state_folder, state_url
from cutline.errors import ConfigError, JobChanged, SourceError
from cutline.formatting import stored_key
from cutline.job import Job
from cutline.records import JSON
from cutline.serialization import checked, decode_object

MANIFEST = "batches.json"
FOLDER = "batches"
OVER = frozenset({"completed", "expired", "cancelled", "failed"})
"""The statuses of batches that have ended."""

Stage = Literal["written", "uploading", "uploaded", "creating", "sent", "fetched", "collected"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One file of requests; ``name`` is its name at the service, ``size`` in bytes.

    ``stage`` is the last recorded step: ``uploading`` and ``creating`` precede a request that may or may not
    have arrived if the process dies. ``status`` is the service's last, ``problem`` why the batch failed.
    ``unread``: how often its replies were fetched, and some could not be read.
    """

    number: int
    name: str
    pictures: int
    requests: int
    size: int
    stage: Stage = "written"
    status: str = ""
    problem: str = ""
    id: str = ""
    input_file: str = ""
    output_file: str = ""
    error_file: str = ""
    done: int = 0
    failed: int = 0
    ends: int | None = None
    unread: int = 0

    @property
    def is_sent(self) -> bool:
        return self.stage in {"sent", "fetched", "collected"}

    @property
    def is_open(self) -> bool:
        """Whether its outcomes are not in the journal yet, so that its pictures must not be sent again."""
        return self.stage != "collected"

    @property
    def may_have_started(self) -> bool:
        """Whether the service may have created it."""
        return self.stage not in {"written", "uploading", "uploaded"}

    @property
    def under_way(self) -> bool:
        return self.stage == "sent" and self.status not in OVER

    def changed(self, **values: Any) -> Batch:
        return dataclasses.replace(self, **values)


class BatchManifest:
    """The batches of one output, in its state folder; ``write`` replaces the file after every change.

    ``job`` is the one that was sent, from the working folder ``origin``.
    """

    def __init__(self, state: State, data: JSON) -> None:
        self._state = state
        self._data = data
        rows = (Batch(**row) for row in data.get("batches", ()))
        self.batches = {batch.number: batch for batch in rows}

    @classmethod
    def of(cls, state: State) -> Self:
        """The folder's manifest, empty where nothing was sent; raises ConfigError for a damaged one."""
        data, file = state.read(MANIFEST), state.folder / MANIFEST
        if data is None and not file.exists():
            data = {"token": secrets.token_hex(8)}
        return cls._checked(state, data, str(file))

    @classmethod
    def saved(cls, output: str, chosen: str | None) -> Self:
        """As ``of``, to be read only, of the state that ``open_state`` would open; raises SinkError too."""
        state, url = State(state_folder(output, chosen), output), state_url(output, chosen)
        found = None if url is None else read_record(url, MANIFEST)
        if found is None:
            return cls.of(state)
        return cls._checked(state, decode_object(found), f"{url}/{MANIFEST}")

    @classmethod
    def _checked(cls, state: State, data: JSON | None, file: str) -> Self:
        damaged = ConfigError(f"{file} is damaged; restore it, or delete it to give up its batches")
        if data is None:
            raise damaged
        try:
            manifest = cls(state, data)
            manifest._validate()
        except (KeyError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise damaged from error
        return manifest

    def _validate(self) -> None:
        """Look at all that is read later; every error is that of a damaged file."""
        checked(self._data["token"], str)
        for batch in self.batches.values():
            for field in dataclasses.fields(Batch):
                value = getattr(batch, field.name)
                if field.name != "ends" or value is not None:
                    checked(value, int if field.type in {"int", "int | None"} else str)
        if self:
            checked(self._data["fingerprint"], dict)
            checked(self._data["origin"], str)
            Job.from_dict(self._data["job"], origin=MANIFEST)

    def __bool__(self) -> bool:
        return "job" in self._data

    @property
    def job(self) -> Job:
        return Job.from_dict(self._data["job"], origin=MANIFEST)

    @property
    def origin(self) -> Path:
        return Path(self._data["origin"])

    @property
    def folder(self) -> Path:
        return self._state.folder / FOLDER

    @property
    def open_batches(self) -> list[Batch]:
        return [batch for batch in self.batches.values() if batch.is_open]

    def begin(self, job: Job, fingerprint: Fingerprint) -> None:
        """Record what is about to be sent; raises as ``check``."""
        self.check(fingerprint)
        self._data |= {"job": job.to_dict(), "origin": str(Path.cwd()), "fingerprint": fingerprint.to_json()}
        self.folder.mkdir(exist_ok=True)
        self.write()

    def check(self, fingerprint: Fingerprint) -> None:
        """Raise JobChanged where batches with other settings are not collected yet."""
        changes = fingerprint.differences(self._data["fingerprint"]) if self else []
        if changes:
            self.drop_unsent()
        if changes and self.open_batches:
            raise JobChanged(
                f"batches of this output were sent with other settings ({'; '.join(changes)}): "
                "use those and collect the batches, or give them up with `cutline batch cancel --forget`"
            )

    def drop_unsent(self) -> None:
        """Forget the files without a batch at the service, so that their pictures can be sent again."""
        for batch in self.open_batches:
            if not batch.may_have_started:
                self.put(batch.changed(stage="collected", status="given up"))
                self.forget_files(batch)
        self._sweep()

    def _sweep(self) -> None:
        """Delete files that an earlier run was writing when it died, which were never sent."""
        known = {f"{batch.number:05}" for batch in self.open_batches}
        for path in self.folder.glob("*.jsonl") if self.folder.is_dir() else ():
            if path.name.partition(".")[0] not in known:
                path.unlink(missing_ok=True)

    def add(self, *, number: int, pictures: int, requests: int, size: int) -> Batch:
        name = f"cutline-{self._data['token']}-{number:05}.jsonl"
        batch = Batch(number=number, name=name, pictures=pictures, requests=requests, size=size)
        self.put(batch)
        return batch

    @property
    def next_number(self) -> int:
        return max(self.batches, default=0) + 1

    def put(self, batch: Batch) -> Batch:
        """Record a batch durably; raises SinkError where the state folder cannot be written."""
        self.batches[batch.number] = batch
        self.write()
        return batch

    def put_all(self, batches: Iterable[Batch]) -> None:
        """As ``put``, all or none."""
        self.batches.update({batch.number: batch for batch in batches})
        self.write()

    def write(self) -> None:
        rows = [dataclasses.asdict(batch) for batch in self.batches.values()]
        self._state.write(MANIFEST, {**self._data, "batches": rows})

    def requests_file(self, number: int) -> Path:
        return self.folder / f"{number:05}.requests.jsonl"

    def keys_file(self, number: int) -> Path:
        """The picture and step of each line of the requests."""
        return self.folder / f"{number:05}.keys.jsonl"

    def keys(self, batch: Batch) -> Iterator[tuple[int, JSON]]:
        """``key``, ``stamp`` and ``step`` of each request of the batch, and the offset of that line.

        Raises SourceError where the file cannot be read.
        """
        path, offset = self.keys_file(batch.number), 0
        try:
            with path.open("rb") as file:
                for line in file:
                    row = orjson.loads(line)
                    for name in ("key", "stamp", "step"):
                        checked(row[name], str)
                    row["key"] = stored_key(row["key"])
                    yield offset, row
                    offset += len(line)
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "strerror", None) or "it is damaged"
            raise SourceError(
                f"cannot read {path}: {reason}; the replies of a batch cannot be assigned without it"
            ) from None

    def answer_files(self, batch: Batch) -> Iterator[tuple[str, Path]]:
        """The ids of the service's files of replies, and their paths here."""
        for kind, file in (("output", batch.output_file), ("errors", batch.error_file)):
            if file:
                yield file, self.folder / f"{batch.number:05}.{kind}.jsonl"

    def forget_files(self, batch: Batch) -> None:
        """Delete the files of a batch whose replies are in the journal."""
        paths = (path for _, path in self.answer_files(batch))
        for path in (self.requests_file(batch.number), self.keys_file(batch.number), *paths):
            path.unlink(missing_ok=True)


def refuse_open(state: State) -> None:
    """Raise ConfigError while pictures of an output are in batches."""
    manifest = BatchManifest.of(state)
    manifest.drop_unsent()
    if batches := manifest.open_batches:
        pictures = sum(batch.pictures for batch in batches)
        raise ConfigError(
            f"{pictures:,} pictures of this output are in batches, and would be paid twice: "
            "first `cutline batch collect`, or give them up with `cutline batch cancel --forget`"
        )
