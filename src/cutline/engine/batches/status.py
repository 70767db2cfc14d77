"""Poll, await and cancel the batches of an output."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

from cutline.credentials import Secret
from cutline.engine.batch_manifest import OVER, Batch, BatchManifest
from cutline.engine.batches.client import BatchService, with_response
from cutline.engine.batches.parts import service_of
from cutline.engine.cancellation import Stop, unless_stopped
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.state import open_state, state_folder, state_url
from cutline.errors import ConfigError, EndpointUnusable, Rejected, RequestError, Retryable
from cutline.job import Job
from cutline.storage import is_url

_PATHS = {
    "model": ("plugin",),
    "prompts": ("prompt", "schema"),
    "run": ("prices",),
}
"""The options that may name a file, by their group."""
_FIRST_WAIT, _MAX_WAIT = 0.5, 60.0  # seconds between polls
_MAX_REQUESTS = 8


def _no_progress(_: Progress) -> None:
    """A hook that does nothing."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatus:
    """The batches of one output, and the job that they are of."""

    output: str
    state: Path
    job: Job
    batches: Sequence[Batch]

    @property
    def open_batches(self) -> list[Batch]:
        return [batch for batch in self.batches if batch.is_open]

    @property
    def under_way(self) -> list[Batch]:
        """Those that the service processes, or that are still to be sent."""
        return [batch for batch in self.open_batches if batch.under_way or not batch.is_sent]


def saved_status(output: str, state: str | None = None) -> BatchStatus:
    """An output's batches as recorded here; raises ConfigError where there are none."""
    folder = state_folder(output, state)
    manifest = BatchManifest.saved(output, state)
    if not manifest:
        raise ConfigError(
            f"no batch was sent for {output} (none is recorded in {state_url(output, state) or folder}): "
            "give the output that `cutline batch submit` got, and its --state if it had one"
        )
    job = dataclasses.replace(anchored(manifest.job, manifest.origin), output_path=output)
    job = dataclasses.replace(job, run=dataclasses.replace(job.run, state=state))
    return BatchStatus(output=output, state=folder, job=job, batches=tuple(manifest.batches.values()))


async def current_status(
    status: BatchStatus,
    *,
    key: Secret | None = None,
    progress: ProgressHook = _no_progress,
    stop: Stop | None = None,
) -> BatchStatus:
    """The same batches in the state that the service reports now; nothing is recorded here.

    Raises:
        ConfigError: the key is missing.
        EndpointUnusable, RequestError: the service cannot be reached.
    """
    if not any(batch.under_way for batch in status.batches):
        return status
    async with contextlib.aclosing(service_of(status.job, key, progress)) as service:
        return await unless_stopped(_polled(status, service), stop or Stop())


async def wait(status: BatchStatus, *, key: Secret | None, progress: ProgressHook) -> BatchStatus:
    """Poll until every batch has ended; once it was reached, the service may be unreachable for a while.

    Raises as ``current_status``.
    """
    pause, reached = _FIRST_WAIT, False
    async with contextlib.aclosing(service_of(status.job, key, progress)) as service:
        while True:
            try:
                status = await _polled(status, service)
                reached = True
                progress(Progress(waiting_for=_line(status)))
            except (Retryable, EndpointUnusable) as error:
                if isinstance(error, EndpointUnusable) and not (reached and error.kind == "unreachable"):
                    raise
                progress(Progress(waiting_for=f"waiting for batches: {error}"))
            if not any(batch.under_way for batch in status.batches):
                return status
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_WAIT)


async def cancel(
    output: str,
    *,
    state: str | None = None,
    key: Secret | None = None,
    forget: bool = False,
    progress: ProgressHook = _no_progress,
    stop: Stop | None = None,
) -> BatchStatus:
    """Cancel the batches of an output; replies until then can be collected, unless ``forget``.

    What was not sent yet is forgotten, and so are batches that the service does not know any more.
    Raises as ``current_status``.
    """
    status = saved_status(output, state)
    async with contextlib.aclosing(service_of(status.job, key, progress)) as service:
        with open_state(output, state) as folder:
            manifest = BatchManifest.of(folder)
            manifest.drop_unsent()
            await unless_stopped(_cancel_all(manifest, service), stop or Stop())
            for batch in manifest.open_batches if forget else ():
                _forget(batch, manifest, "forgotten")
    return saved_status(output, state)


async def _cancel_all(manifest: BatchManifest, service: BatchService) -> None:
    for batch in manifest.open_batches:
        await _cancel(batch, manifest, service)


async def _cancel(batch: Batch, manifest: BatchManifest, service: BatchService) -> None:
    if batch.stage == "creating":
        found = None
        with contextlib.suppress(Rejected):  # the service does not list batches
            found = await service.find_batch(batch.input_file)
        if found is None:
            _forget(batch, manifest, "given up")
            return
        batch = manifest.put(with_response(batch.changed(stage="sent", id=str(found["id"])), found))
    if not batch.under_way:
        return
    try:
        response = await service.batch(batch.id)
        if response.get("status") not in OVER:
            response = await service.cancel(batch.id)
    except RequestError as error:
        if error.status == 404:
            _forget(batch, manifest, "gone")
            return
        if not isinstance(error, Rejected) and error.status != 409:
            raise
        response = await service.batch(batch.id)  # it has ended meanwhile
    manifest.put(with_response(batch, response))


def _forget(batch: Batch, manifest: BatchManifest, status: str) -> None:
    manifest.put(batch.changed(stage="collected", status=status))
    manifest.forget_files(batch)


async def refresh(manifest: BatchManifest, service: BatchService) -> None:
    """Record the state of every batch that the service had not ended."""
    async for batch in _changes(manifest.open_batches, service):
        manifest.put(batch)


async def _polled(status: BatchStatus, service: BatchService) -> BatchStatus:
    now = {batch.number: batch async for batch in _changes(status.batches, service)}
    return dataclasses.replace(status, batches=[now.get(batch.number, batch) for batch in status.batches])


async def _changes(batches: Iterable[Batch], service: BatchService) -> AsyncIterator[Batch]:
    """Those under way, in the state that the service reports now; a few requests at once."""
    left = [batch for batch in batches if batch.under_way]
    for start in range(0, len(left), _MAX_REQUESTS):
        few = left[start : start + _MAX_REQUESTS]
        responses = await asyncio.gather(*(service.batch(batch.id) for batch in few))
        for batch, response in zip(few, responses, strict=True):
            yield with_response(batch, response)


def _line(status: BatchStatus) -> str:
    batches = status.open_batches
    ended = sum(batch.status in OVER for batch in batches)
    done = sum(batch.done + batch.failed for batch in batches)
    requests = sum(batch.requests for batch in batches)
    return f"waiting for batches: {ended} of {len(batches)} ended, {done:,} of {requests:,} requests answered"


def anchored(job: Job, origin: Path) -> Job:
    """The job with its relative paths resolved from ``origin``, but for its output."""
    if origin == Path.cwd():
        return job
    changes: dict[str, Any] = {}
    if not is_url(job.input_path):
        changes["input_path"] = str(origin / job.input_path)
    root = job.input.image_root
    if root is not None and not is_url(root):
        changes["input"] = dataclasses.replace(job.input, image_root=str(origin / root))
    for group, names in _PATHS.items():
        values = getattr(job, group)
        found = {name: _resolved(getattr(values, name), origin) for name in names}
        changes[group] = dataclasses.replace(values, **found)
    return dataclasses.replace(job, **changes)


def _resolved(value: Any, origin: Path) -> Any:
    if isinstance(value, tuple):
        return tuple(_resolved(item, origin) for item in value)
    if not isinstance(value, str):
        return value
    if _is_file(origin / value):
        return str(origin / value)
    name, mark, rest = value.partition("=")  # a named prompt
    return f"{name}={origin / rest}" if mark and _is_file(origin / rest) else value


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # not a path
        return False
