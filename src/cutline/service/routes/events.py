"""A job's progress as Server-Sent Events: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Final

import orjson
from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.exc import SQLAlchemyError

from cutline.service.queue.job import JobState
from cutline.service.queue.queue import Queue
from cutline.service.routes.tasks import find_job, summary

router = APIRouter(tags=["jobs"])

_POLL_SECONDS: Final = 0.5
_KEEPALIVE_SECONDS: Final = 15.0  # so that no proxy cuts a silent connection


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
            return  # the service stops; clients connect again
        with contextlib.suppress(SQLAlchemyError):  # tried again; the queue logs it
            now = await queue.store.job(job.id)


def _event(job: JobState) -> bytes:
    name = b"end" if job.has_ended else b"progress"
    number = job.captioned + job.failed
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name, number, orjson.dumps(summary(job)))
