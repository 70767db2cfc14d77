"""One file of requests to a batch that is under way, taken up wherever a death left it."""

from __future__ import annotations

from collections.abc import Callable

from cutline.engine.batch_manifest import Batch, BatchManifest
from cutline.engine.batches.client import BatchService
from cutline.errors import ConfigError
from cutline.formatting import plural
from cutline.records import JSON


class Sender:
    """``say`` takes lines about what is under way."""

    def __init__(self, ledger: BatchManifest, service: BatchService, say: Callable[[str], None]) -> None:
        self._ledger = ledger
        self._service = service
        self._say = say

    async def send(self, batch: Batch) -> Batch:
        """Send the file, unless it is there, and begin its batch, unless it was begun.

        What may have come through when an earlier call died is looked for at the service first.

        Raises:
            EndpointUnusable, Rejected, Retryable: as the service does; the same call goes on later.
            SinkError: the ledger cannot be written; nothing more was sent.
            ConfigError: the file is gone.
        """
        if batch.stage in {"written", "uploading"}:
            batch = await self._uploaded(batch)
        if batch.stage in {"uploaded", "creating"}:
            batch = await self._begun(batch)
        self._ledger.requests_file(batch.number).unlink(missing_ok=True)
        return batch

    async def _uploaded(self, batch: Batch) -> Batch:
        size = f"{batch.size / 1e6:,.1f} MB" if batch.size >= 1e5 else f"{batch.size / 1e3:,.1f} kB"
        pictures = plural(batch.pictures, "picture")
        self._say(f"sending file {batch.number}: {size}, {pictures}")
        file = None
        if batch.stage == "uploading":
            found = await self._service.find_file(batch.name)
            if found is not None and found.get("bytes", batch.size) == batch.size:
                file = str(found["id"])
        if file is None:
            path = self._ledger.requests_file(batch.number)
            if not path.exists():
                raise ConfigError(
                    f"{path} is gone and was not sent: `cutline batch cancel` forgets that batch"
                )
            batch = self._ledger.put(batch.changed(stage="uploading"))
            file = await self._service.upload(path, batch.name)
        return self._ledger.put(batch.changed(stage="uploaded", input_file=file))

    async def _begun(self, batch: Batch) -> Batch:
        found: JSON | None = None
        if batch.stage == "creating":
            found = await self._service.find_batch(batch.input_file)
        if found is None:
            batch = self._ledger.put(batch.changed(stage="creating"))
            found = await self._service.create(batch.input_file, batch.name)
        return self._ledger.put(seen(batch.changed(stage="sent", id=str(found["id"])), found))


def seen(batch: Batch, said: JSON) -> Batch:
    """The batch with what the service says of it."""
    counts, errors = said.get("request_counts"), said.get("errors")
    counts = counts if isinstance(counts, dict) else {}
    errors = errors.get("data") if isinstance(errors, dict) else None
    errors = errors if isinstance(errors, list) else []
    said_of = (str(error.get("message") or error.get("code")) for error in errors if isinstance(error, dict))
    words = list(dict.fromkeys(said_of))
    return batch.changed(
        status=str(said.get("status") or ""),
        problem=" ".join("; ".join(words[:3]).split())[:300].rstrip("."),
        output_file=str(said.get("output_file_id") or ""),
        error_file=str(said.get("error_file_id") or ""),
        done=_number(counts.get("completed")) or 0,
        failed=_number(counts.get("failed")) or 0,
        ends=_number(said.get("expires_at")),
    )


def _number(value: object) -> int | None:
    """What a service counted; None for what is no count."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None
