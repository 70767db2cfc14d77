"""Rows that have one picture and one prompt: requested once, each gets the caption."""

from __future__ import annotations

import asyncio
import dataclasses
import re
from typing import TypeAlias

from cutline.chain import ChainResult, StepFailed
from cutline.engine.content import ContentId, SampleContent
from cutline.records import Caption, Failure, Outcome, Reply, Step, Usage
from cutline.worker_threads import in_thread

Shared: TypeAlias = Caption | Failure
RequestId: TypeAlias = tuple[str, str]
_REPEAT = re.compile(r"#\d+\Z")  # as sources number keys that come again


def request_id(key: str, content_id: str) -> RequestId:
    """The name of a sample's picture and the digests of its variables, equal for rows of one request."""
    content = ContentId.parse(content_id)
    return request_of(key, content.listed, content.variables)


def request_of(key: str, listed: str, variables: str) -> RequestId:
    """As ``request_id``, for the parts of a content."""
    origin = listed.partition(" of ")[2]
    return origin or (_REPEAT.sub("", key) if "#" in key else key), variables


class RequestIndex:
    """The lines of a journal with the outcome of a request, by its id; holds hashes and offsets only."""

    def __init__(self) -> None:
        self._offsets: dict[int, int] = {}

    def add(self, key: str, content_id: str, offset: int) -> None:
        self._offsets[hash(request_id(key, content_id))] = offset

    def add_repeat(self, key: str, content_id: str, offset: int) -> None:
        """As ``add``, for the line of a picture that its key alone does not name."""
        if "#" in key or " of " in content_id:
            self.add(key, content_id, offset)

    def clear(self) -> None:
        self._offsets.clear()

    def get(self, wanted: RequestId) -> int | None:
        """The offset of the last line; another request may have the same hash."""
        return self._offsets.get(hash(wanted))


class Turns:
    """Lets one sample of each request at a time continue."""

    def __init__(self) -> None:
        self._ends: dict[RequestId, asyncio.Event | None] = {}  # None while nobody waits

    async def begin(self, request: RequestId) -> None:
        while request in self._ends:
            end = self._ends[request]
            if end is None:
                end = self._ends[request] = asyncio.Event()
            await end.wait()
        self._ends[request] = None

    def end(self, request: RequestId) -> None:
        end = self._ends.pop(request)
        if end is not None:
            end.set()


def can_be_shared(outcome: Outcome) -> bool:
    """Whether another row may have it: a whole caption, or the failure of a reply that came."""
    if isinstance(outcome, Caption):
        return bool(outcome.steps) and not outcome.missing_steps
    return isinstance(outcome, Failure) and outcome.reply is not None


def is_shared(outcome: Outcome) -> bool:
    """Whether it was another row's, rather than of a request of its own."""
    return bool(outcome.steps) and all(not step.reply.attempts for step in outcome.steps)


async def is_same_picture(shared: Shared, content: SampleContent) -> bool:
    """Whether an outcome is about the picture and variables of a sample; reads it where that must be."""
    known = ContentId.parse(shared.content_id)
    if known.variables != content.variables:
        return False
    same = content.compare(shared.content_id)
    return await in_thread(content.matches, shared.content_id) if same is None else same


def shared_result(shared: Shared) -> ChainResult:
    """The replies of another row's request, at no cost; raises StepFailed where they are a failure."""
    steps = tuple(map(_free, shared.steps))
    if isinstance(shared, Failure):
        assert shared.reply is not None
        reply = _unpaid(shared.reply)
        error = StepFailed(shared.kind, shared.message, attempts=0, steps=steps, reply=reply)
        error.step, error.digest = shared.step, shared.digest
        raise error
    source = shared.source
    assert source is not None
    caption = next(step for step in steps if step.name == source.name)
    return ChainResult(steps=steps, caption=caption, missing={}, useless={})


def _free(step: Step) -> Step:
    return dataclasses.replace(step, reply=_unpaid(step.reply), counted=True)


def _unpaid(reply: Reply) -> Reply:
    return dataclasses.replace(reply, usage=Usage(), seconds=0.0, attempts=0)
