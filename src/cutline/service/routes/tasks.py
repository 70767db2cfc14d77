"""Jobs over HTTP: a batch that is answered at once and captioned later, in this life or the next."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Final, Literal

import orjson
from fastapi import APIRouter, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field

from cutline.locations.stored import InlineBytes, RemoteFile
from cutline.records import JSON, Sample
from cutline.service.http import openapi
from cutline.service.job_status import Task
from cutline.service.queue.queue import Queue
from cutline.service.queue.store import CANCELLED, KeyReused, Order, Ordered, QueueFull
from cutline.service.routes import captions
from cutline.service.routes.captions import Captioned, ManyPictures, NotCaptioned

router = APIRouter(tags=["jobs"])

_ID: Final = re.compile(r"[0-9a-f]{32}")
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
_FULL_SECONDS: Final = "10"


class QueuedPictures(ManyPictures):
    """Pictures by their paths, URLs or bytes as base64; ``webhook_url`` is told when the job has ended."""

    webhook_url: str | None = Field(None, min_length=1, max_length=2048)


class Accepted(BaseModel):
    message: str
    task_id: str


class TaskSummary(BaseModel):
    """How far a job is. A job has ``failed`` when none of its pictures got a caption.

    ``captioned``, ``failed``, ``remaining`` and ``cancelled`` make up ``total``.
    """

    task_id: str
    status: Literal["queued", "in_progress", "completed", "failed", "cancelled"]
    created_at: datetime
    ended_at: datetime | None
    total: int
    captioned: int
    failed: int
    remaining: int
    cancelled: int


class IndexedCaption(Captioned):
    index: int


class IndexedFailure(NotCaptioned):
    index: int


class TaskState(TaskSummary):
    """``results`` holds the pictures that are done, in the order in which they were sent."""

    results: list[IndexedCaption | IndexedFailure]


class TaskList(BaseModel):
    """``next`` is the ``before`` of the next page; null on the last."""

    tasks: list[TaskSummary]
    next: str | None


def _accepted_body() -> JSON:
    body = openapi.body(QueuedPictures, captions.MANY_AS_FORM)
    form = body["requestBody"]["content"]["multipart/form-data"]["schema"]
    form["properties"] = {**form["properties"], "webhook_url": {"type": "string"}}
    key = {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255}}
    return {**body, "parameters": [{**key, "description": "Sent again, it brings the same job."}]}


@router.post(
    "/async-batch-caption",
    status_code=202,
    response_model=Accepted,
    responses={429: {"description": "the queue is full; come again after Retry-After"}},
    openapi_extra=_accepted_body(),
)
async def async_batch_caption(request: Request) -> Response:
    """Queue several pictures, as JSON or as repeated multipart fields ``images``.

    The job is on the disk when the answer comes. With the header ``Idempotency-Key`` a request can be sent
    again without making a second job.
    """
    queue: Queue = request.app.state.queue
    key = _key(request)
    samples, asked = await captions.batch_of(request, QueuedPictures)
    if len(samples) > (most := request.app.state.settings.max_queued):  # there will never be room for it
        raise HTTPException(413, f"at most {most} pictures are in the queue at one time: split the job")
    if asked.webhook_url is not None:
        queue.check_webhook(asked.webhook_url)
    request.app.state.desk.check(asked.wish)
    pictures = tuple(_ordered(sample) for sample in samples)
    trace = request.app.state.desk.tracing.headers()
    order = Order(pictures=pictures, wish=asked.wish.key, webhook=asked.webhook_url, key=key, trace=trace)
    try:
        task = await queue.submit(order)
    except QueueFull as full:
        detail = f"the queue is full: {full.waiting} pictures wait"
        raise HTTPException(429, detail, headers={"Retry-After": _FULL_SECONDS}) from None
    except KeyReused:
        raise HTTPException(422, "this Idempotency-Key came before, with another request") from None
    count = f"{len(samples)} pictures are" if len(samples) > 1 else "1 picture is"
    return _json({"message": f"{count} queued.", "task_id": task}, 202)


@router.get("/task-status/{task_id}", response_model=TaskState, responses={404: {}})
@router.get("/async-batch-caption/status/{task_id}", response_model=TaskState, responses={404: {}})
async def task_status(task_id: str, request: Request) -> Response:
    """How far a job is, with the results that are there."""
    queue: Queue = request.app.state.queue
    task = await found(queue, task_id)
    results = await queue.store.results(task_id)
    return _json(summary(task) | {"results": results})


@router.get("/tasks", response_model=TaskList)
async def tasks(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[str | None, Query(pattern=f"^{_ID.pattern}$")] = None,
) -> Response:
    """The jobs, newest first."""
    queue: Queue = request.app.state.queue
    page = await queue.store.tasks(limit=limit + 1, before=before)
    following = page[limit - 1].id if len(page) > limit else None
    return _json({"tasks": [summary(task) for task in page[:limit]], "next": following})


@router.delete(
    "/task/{task_id}",
    response_model=TaskSummary,
    responses={404: {}, 409: {"description": "the job had ended already"}},
)
async def cancel(task_id: str, request: Request) -> Response:
    """End a job: what waits and what is under way; the results that are there stay."""
    queue: Queue = request.app.state.queue
    await found(queue, task_id)
    is_new = await queue.cancel(task_id)
    task = await found(queue, task_id)
    if not is_new and task.status != CANCELLED:
        raise HTTPException(409, f"the task has ended already: {task.status}")
    return _json(summary(task))


async def found(queue: Queue, task_id: str) -> Task:
    """Raises HTTPException 404 for an unknown or expired one."""
    task = await queue.store.task(task_id) if _ID.fullmatch(task_id) else None
    if task is None:
        raise HTTPException(404, "there is no such task")
    return task


def summary(task: Task) -> JSON:
    ended = task.ended
    left = task.total - task.captioned - task.failed
    return {
        "task_id": task.id,
        "status": task.status,
        "created_at": datetime.fromtimestamp(task.created, UTC),
        "ended_at": datetime.fromtimestamp(ended, UTC) if ended is not None else None,
        "total": task.total,
        "captioned": task.captioned,
        "failed": task.failed,
        "remaining": 0 if task.has_ended else left,
        "cancelled": left if task.has_ended else 0,
    }


def _ordered(sample: Sample) -> Ordered:
    """The sample as it is kept; of a path or URL only the words: it is looked up when it is its turn."""
    if isinstance(sample.location, InlineBytes):
        return Ordered(name=sample.key, kind="upload", data=sample.location.data)
    if isinstance(sample.location, RemoteFile):
        return Ordered(name=sample.key, kind="url")
    return Ordered(name=sample.key, kind="path")


def _key(request: Request) -> str | None:
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise HTTPException(422, "Idempotency-Key must be 1 to 255 visible ASCII characters")
    return key


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, media_type="application/json")
