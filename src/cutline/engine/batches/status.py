"""How far a service is with the batches of an output; waiting for them, and giving them up."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from cutline.credentials import Secret
from cutline.engine.batch_manifest import OVER, Batch, BatchManifest
from cutline.engine.batches.client import BatchService
from cutline.engine.batches.parts import endpoint_of, service_of
from cutline.engine.batches.paths import anchored
from cutline.engine.batches.send import seen
from cutline.engine.cancellation import Stop
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.state import State, state_folder
from cutline.errors import ConfigError, EndpointUnusable, Rejected, RequestError, Retryable
from cutline.job import Job

_T = TypeVar("_T")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds between looks
_AT_ONCE = 8


def _silently(_: Progress) -> None:
    """Progress that nobody looks at."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
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
        """Those that the service still works on, or that are still to be sent."""
        return [batch for batch in self.open_batches if batch.under_way or not batch.is_sent]


def sent_for(output: str, state: str | None = None) -> Sent:
    """What is known here of an output's batches, without asking the service.

    Raises:
        ConfigError: there are none.
    """
    folder = state_folder(output, state)
    ledger = BatchManifest.of(State(folder, output))
    if not ledger:
        raise ConfigError(
            f"no batch was sent for {output} (none is noted in {folder}): "
            "is it the output that `cutline batch submit` named? --state says where else the notes are"
        )
    job = dataclasses.replace(anchored(ledger.job, ledger.origin), output_path=output)
    job = dataclasses.replace(job, run=dataclasses.replace(job.run, state=state))
    return Sent(output=output, state=folder, job=job, batches=tuple(ledger.batches.values()))


async def unless_stopped(work: Coroutine[Any, Any, _T], stop: Stop) -> _T:
    """What ``work`` brings; once the run is stopped it is dropped where it is, and the reason raised."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            assert stop.reason is not None
            raise stop.reason
        return working.result()
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


async def look(
    sent: Sent, *, key: Secret | None = None, progress: ProgressHook = _silently, stop: Stop | None = None
) -> Sent:
    """The same batches as the service sees them now; nothing is noted here.

    Raises:
        ConfigError: the key is missing.
        EndpointUnusable, RequestError: the service cannot be asked.
    """
    if not any(batch.under_way for batch in sent.batches):
        return sent
    endpoint = endpoint_of(sent.job, key)
    try:
        return await unless_stopped(_looked(sent, service_of(endpoint, sent.job, progress)), stop or Stop())
    finally:
        await endpoint.aclose()


async def wait(sent: Sent, *, key: Secret | None, progress: ProgressHook) -> Sent:
    """Look again and again until every batch has ended; once it has been there, the service may be away.

    Raises:
        ConfigError, EndpointUnusable, Rejected: as ``look``.
    """
    endpoint = endpoint_of(sent.job, key)
    service = service_of(endpoint, sent.job, progress)
    pause = _FIRST_WAIT
    was_there = False
    try:
        while True:
            try:
                sent = await _looked(sent, service)
                was_there = True
                progress(Progress(waiting_for=_line(sent)))
            except (Retryable, EndpointUnusable) as error:
                if isinstance(error, EndpointUnusable) and not (was_there and error.kind == "unreachable"):
                    raise
                progress(Progress(waiting_for=f"waiting for batches: {error}"))
            if not any(batch.under_way for batch in sent.batches):
                return sent
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_WAIT)
    finally:
        await endpoint.aclose()


async def cancel(
    output: str,
    *,
    state: str | None = None,
    key: Secret | None = None,
    forget: bool = False,
    progress: ProgressHook = _silently,
    stop: Stop | None = None,
) -> Sent:
    """End the batches of an output; what was answered until then can be collected, unless ``forget``.

    What was not sent yet is forgotten, and so are batches that the service does not know any more.

    Raises:
        ConfigError, EndpointUnusable, RequestError: as ``look``.
    """
    sent = sent_for(output, state)
    endpoint = endpoint_of(sent.job, key)
    service = service_of(endpoint, sent.job, progress)
    try:
        with State(sent.state, output) as folder:
            ledger = BatchManifest.of(folder)
            ledger.drop_unasked()
            await unless_stopped(_end_all(ledger, service), stop or Stop())
            for batch in ledger.open_batches if forget else ():
                _give_up(batch, ledger, "forgotten")
        return sent_for(output, state)
    finally:
        await endpoint.aclose()


async def _end_all(ledger: BatchManifest, service: BatchService) -> None:
    for batch in ledger.open_batches:
        await _end(batch, ledger, service)


async def _end(batch: Batch, ledger: BatchManifest, service: BatchService) -> None:
    if batch.stage == "creating":
        found = None
        with contextlib.suppress(Rejected):  # where batches are not listed, nobody can tell
            found = await service.find_batch(batch.input_file)
        if found is None:
            _give_up(batch, ledger, "given up")
            return
        batch = ledger.put(seen(batch.changed(stage="sent", id=str(found["id"])), found))
    if not batch.under_way:
        return
    try:
        said = await service.batch(batch.id)
        if said.get("status") not in OVER:
            said = await service.cancel(batch.id)
    except RequestError as error:
        if error.status == 404:
            _give_up(batch, ledger, "gone")
            return
        if not isinstance(error, Rejected) and error.status != 409:
            raise
        said = await service.batch(batch.id)  # it has ended meanwhile
    ledger.put(seen(batch, said))


def _give_up(batch: Batch, ledger: BatchManifest, status: str) -> None:
    ledger.put(batch.changed(stage="collected", status=status))
    ledger.forget_files(batch)


async def refreshed(ledger: BatchManifest, service: BatchService) -> None:
    """Note what the service says of every batch that it had not ended."""
    async for batch in _changes(ledger.open_batches, service):
        ledger.put(batch)


async def _looked(sent: Sent, service: BatchService) -> Sent:
    now = {batch.number: batch async for batch in _changes(sent.batches, service)}
    return dataclasses.replace(sent, batches=[now.get(batch.number, batch) for batch in sent.batches])


async def _changes(batches: Iterable[Batch], service: BatchService) -> AsyncIterator[Batch]:
    """Those under way, as the service sees them now; it is asked about a few at once."""
    left = [batch for batch in batches if batch.under_way]
    for start in range(0, len(left), _AT_ONCE):
        few = left[start : start + _AT_ONCE]
        said = await asyncio.gather(*(service.batch(batch.id) for batch in few))
        for batch, answer in zip(few, said, strict=True):
            yield seen(batch, answer)


def _line(sent: Sent) -> str:
    batches = sent.open_batches
    ended = sum(batch.status in OVER for batch in batches)
    done = sum(batch.done + batch.failed for batch in batches)
    requests = sum(batch.requests for batch in batches)
    return f"waiting for batches: {ended} of {len(batches)} ended, {done:,} of {requests:,} requests answered"
