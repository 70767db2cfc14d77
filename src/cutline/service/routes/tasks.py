"""Jobs: batches that are accepted at once and captioned later, also after a restart; and their events.

Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import orjson
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from cutline.locations.stored import InlineBytes, RemoteFile
from cutline.records import JSON, Sample
from cutline.service.captioning_service import CaptioningService
from cutline.service.described_model import DescribedModel
from cutline.service.errors import ServiceError
from cutline.service.http.responses import json_response
from cutline.service.queue.queue import Queue
from cutline.service.queue.store import CANCELLED, JobState, KeyReused, NewItem, NewJob, QueueFull
from cutline.service.result_formats import MEDIA_TYPES, ResultFormat, accepted_format, encoded
from cutline.service.routes.captions import read_batch
from cutline.service.routes.schemas import Captioned, NotCaptioned, QueuedPictures, many_pictures_body

router = APIRouter(tags=["jobs"])

_ID: Final = re.compile(r"[0-9a-f]{32}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_POLL_SECONDS: Final = 0.5
_PAGE: Final = 1000  # results that are held at once
_KEEPALIVE_SECONDS: Final = 15.0  # so that no proxy cuts a silent connection


class Accepted(DescribedModel):
    message: str
    """That the job is queued."""
    task_id: str
    """The id of the job."""


class TaskSummary(DescribedModel):
    """A job's progress. It has ``failed`` when none of its pictures got a caption.

    ``captioned``, ``failed``, ``remaining`` and ``cancelled`` make up ``total``.
    """

    task_id: str
    """The id of the job."""
    status: Literal["queued", "in_progress", "completed", "failed", "cancelled"]
    """How far it is."""
    created_at: datetime
    """When it was sent."""
    ended_at: datetime | None
    """When it ended; null before."""
    total: int
    """Pictures of the job."""
    captioned: int
    """Pictures with a caption."""
    failed: int
    """Pictures that failed."""
    remaining: int
    """Pictures to do."""
    cancelled: int
    """Pictures that were given up."""


class IndexedCaption(Captioned):
    index: int
    """The place of the picture in the request, from 0."""


class IndexedFailure(NotCaptioned):
    index: int
    """The place of the picture in the request, from 0."""


class TaskState(TaskSummary):
    """``results`` has the pictures that are done, in the order in which they were sent."""

    results: list[IndexedCaption | IndexedFailure]
    """The pictures that are done."""


class TaskList(DescribedModel):
    """``next`` is the ``before`` of the next page, null on the last one."""

    tasks: list[TaskSummary]
    """The jobs, the latest first."""
    next: str | None
    """The `before` of the next page; null on the last one."""


_KEY_HEADER: Final[JSON] = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key and request return the same job.",
}


@router.post(
    "/async-batch-caption",
    status_code=202,
    response_model=Accepted,
    responses={429: {"description": "the queue is full; try again after Retry-After"}},
    openapi_extra={**many_pictures_body(QueuedPictures), "parameters": [_KEY_HEADER]},
)
async def async_batch_caption(request: Request) -> Response:
    """Queue several pictures, as JSON or as repeated multipart fields ``images``.

    The job is on disk when the response comes. With the header ``Idempotency-Key`` a request can be sent
    again without a second job.
    """
    queue: Queue = request.app.state.queue
    service: CaptioningService = request.app.state.service
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise ServiceError(422, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    samples, body = await read_batch(request, QueuedPictures)
    if len(samples) > (limit := request.app.state.settings.max_queued):  # there will never be room for it
        raise ServiceError(413, f"at most {limit} pictures can be in the queue: split the job")
    if body.webhook_url is not None:
        queue.check_webhook(body.webhook_url)
    await service.check_schema(body.options)
    service.pipeline(body.options)  # refuses what is not supported
    new = NewJob(
        pictures=tuple(map(_new_item, samples)),
        options=body.options.to_json(),
        webhook=body.webhook_url,
        key=key,
        trace=service.tracing.headers(),
    )
    try:
        job = await queue.submit(new)
    except QueueFull as full:
        raise ServiceError(429, f"the queue is full: {full}", headers={"Retry-After": "10"}) from None
    except KeyReused:
        raise ServiceError(422, "this Idempotency-Key was used for another request before") from None
    count = f"{len(samples)} pictures are" if len(samples) > 1 else "1 picture is"
    return json_response({"message": f"{count} queued.", "task_id": job}, 202)


@router.get("/task/{task_id}", response_model=TaskState, responses={404: {}})
@router.get("/task-status/{task_id}", response_model=TaskState, responses={404: {}})
@router.get("/async-batch-caption/status/{task_id}", response_model=TaskState, responses={404: {}})
async def task_status(task_id: str, request: Request) -> Response:
    """A job's progress, and its results so far."""
    queue: Queue = request.app.state.queue
    job = await find_job(queue, task_id)
    return json_response(summary(job) | {"results": await queue.store.results(task_id)})


@router.get(
    "/task/{task_id}/results",
    response_class=Response,
    responses={200: {"content": {kind.partition(";")[0]: {} for kind in MEDIA_TYPES.values()}}, 404: {}},
)
async def results(
    task_id: str,
    request: Request,
    after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1,
    limit: Annotated[int | None, Query(ge=1, le=10_000)] = None,
    form: Annotated[ResultFormat | None, Query(alias="format")] = None,
) -> Response:
    """A job's results so far as a file: JSON lines, or what `format` or `Accept: text/csv` names.

    They are those behind the picture with the index `after`: all, or at most `limit`. Where there are more
    than `limit`, the header `X-Next-After` has the `after` of the next page.
    """
    queue: Queue = request.app.state.queue
    await find_job(queue, task_id)
    size = limit or _PAGE
    first = await queue.store.results(task_id, after=after, limit=size + 1)
    is_whole = len(first) <= size
    headers = {} if limit is None or is_whole else {"X-Next-After": str(first[limit - 1]["index"])}

    async def pages() -> AsyncIterator[list[JSON]]:
        page = first[:size]
        yield page
        while limit is None and not is_whole and page:
            page = await queue.store.results(task_id, after=page[-1]["index"], limit=size)
            yield page

    form = form or accepted_format(request.headers.get("accept", ""))
    return StreamingResponse(encoded(pages(), form), media_type=MEDIA_TYPES[form], headers=headers)


@router.get("/tasks", response_model=TaskList)
async def tasks(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[str | None, Query(pattern=f"^{_ID.pattern}$")] = None,
) -> Response:
    """All jobs, newest first."""
    queue: Queue = request.app.state.queue
    page = await queue.store.jobs(limit=limit + 1, before=before)
    following = page[limit - 1].id if len(page) > limit else None
    return json_response({"tasks": [summary(job) for job in page[:limit]], "next": following})


@router.delete(
    "/task/{task_id}",
    response_model=TaskSummary,
    responses={404: {}, 409: {"description": "the job has already ended"}},
)
async def cancel(task_id: str, request: Request) -> Response:
    """Cancel a job: its pictures that wait or are being captioned; its results stay."""
    queue: Queue = request.app.state.queue
    await find_job(queue, task_id)
    was_cancelled = await queue.cancel(task_id)
    job = await find_job(queue, task_id)
    if not was_cancelled and job.status != CANCELLED:
        raise ServiceError(409, f"the task has already ended: {job.status}")
    return json_response(summary(job))


async def find_job(queue: Queue, task_id: str) -> JobState:
    """The job; raises ServiceError 404 if it is unknown or expired."""
    job = await queue.store.job(task_id) if _ID.fullmatch(task_id) else None
    if job is None:
        raise ServiceError(404, "there is no such task")
    return job


def summary(job: JobState) -> JSON:
    """A ``TaskSummary``."""
    return {
        "task_id": job.id,
        "status": job.status,
        "created_at": datetime.fromtimestamp(job.created, UTC),
        "ended_at": datetime.fromtimestamp(job.ended, UTC) if job.ended is not None else None,
        "total": job.total,
        "captioned": job.captioned,
        "failed": job.failed,
        "remaining": 0 if job.has_ended else job.remaining,
        "cancelled": job.remaining if job.has_ended else 0,
    }


def _new_item(sample: Sample) -> NewItem:
    """The sample as it is stored; a path or URL is only a name until its turn comes."""
    if isinstance(sample.location, InlineBytes):
        return NewItem(name=sample.key, kind="upload", data=sample.location.data)
    return NewItem(name=sample.key, kind="url" if isinstance(sample.location, RemoteFile) else "path")


@router.get(
    "/task/{task_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 404: {}},
)
async def events(task_id: str, request: Request) -> StreamingResponse:
    """The job's progress, from now until its end.

    An event ``progress`` comes with every change, and ``end`` when the job has ended; the data is the job's
    summary. A client that was cut off can connect again.
    """
    queue: Queue = request.app.state.queue
    job = await find_job(queue, task_id)
    headers = {"X-Accel-Buffering": "no"}  # otherwise a proxy may buffer some kilobytes of them
    return StreamingResponse(_stream(queue, job), media_type="text/event-stream", headers=headers)


async def _stream(queue: Queue, job: JobState) -> AsyncIterator[bytes]:
    sent, sent_at = None, time.monotonic()
    now: JobState | None = job
    while now is not None:
        if now != sent:
            yield _event(now)
            sent, sent_at = now, time.monotonic()
        elif time.monotonic() - sent_at > _KEEPALIVE_SECONDS:
            yield b": keep-alive\n\n"
            sent_at = time.monotonic()
        if now.has_ended:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.stopping.wait(), _POLL_SECONDS)
            yield b'event: error\ndata: {"detail": "the service is stopping: connect again"}\n\n'
            return
        with contextlib.suppress(SQLAlchemyError):  # tried again; the queue logs it
            now = await queue.store.job(job.id)


def _event(job: JobState) -> bytes:
    name = b"end" if job.has_ended else b"progress"
    number = job.captioned + job.failed
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name, number, orjson.dumps(summary(job)))
