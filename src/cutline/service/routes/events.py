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

from cutline.service.job_status import Task
from cutline.service.queue.queue import Queue
from cutline.service.routes.tasks import found, summary

router = APIRouter(tags=["jobs"])

_LOOK_SECONDS: Final = 0.5
_QUIET_SECONDS: Final = 15.0  # after which something is sent, so that nobody on the way cuts the connection


@router.get(
    "/task/{task_id}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}, 404: {}},
)
async def events(task_id: str, request: Request) -> StreamingResponse:
    """The job's progress, from where it is now until its end.

    An event ``progress`` comes with every change, and ``end`` when the job has ended; the data is the job's
    summary. Whoever was cut off asks again.
    """
    queue: Queue = request.app.state.queue
    task = await found(queue, task_id)
    headers = {"X-Accel-Buffering": "no"}  # else a proxy may keep them until it has a few kilobytes
    return StreamingResponse(_stream(queue, task), media_type="text/event-stream", headers=headers)


async def _stream(queue: Queue, task: Task) -> AsyncIterator[bytes]:
    sent, sent_at = None, time.monotonic()
    now: Task | None = task
    while now is not None:
        if now != sent:
            yield _event(now)
            sent, sent_at = now, time.monotonic()
        elif time.monotonic() - sent_at > _QUIET_SECONDS:
            yield b": still there\n\n"
            sent_at = time.monotonic()
        if now.has_ended:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.stopping.wait(), _LOOK_SECONDS)
            return  # the service stops; whoever wants to know the rest asks again
        with contextlib.suppress(SQLAlchemyError):  # it is looked at again; others tell the log
            now = await queue.store.task(task.id)


def _event(task: Task) -> bytes:
    name = "end" if task.has_ended else "progress"
    identity = task.captioned + task.failed
    return b"event: %b\nid: %d\ndata: %b\n\n" % (name.encode(), identity, orjson.dumps(summary(task)))
