"""What earlier runs left that is about a sample as it is now."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable

from cutline.engine.content import ContentId, ContentReader, is_about
from cutline.engine.journal_store import JournalStore
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.records import Caption, Failure, Outcome, Sample, Step
from cutline.worker_threads import in_thread


async def earlier_outcome(
    sample: Sample, journal: JournalStore, contents: ContentReader
) -> tuple[Outcome | None, bool]:
    """An earlier run's outcome about the sample, and whether there is one about another picture instead."""
    outcome = journal.get(sample.key)
    if outcome is None:
        return None, False
    content = contents.content(sample)
    trusted = journal.trusted and not isinstance(outcome, Failure)
    if not await is_about(outcome.content_id, content, trusted=trusted):
        return None, True
    content_id = content.renewed(outcome.content_id)
    if content_id != outcome.content_id:  # the same bytes with another time or place
        journal.append_content(sample.key, content_id)
        outcome = dataclasses.replace(outcome, content_id=content_id)
    return outcome, False


async def earlier_steps(sample: Sample, journal: JournalStore, contents: ContentReader) -> tuple[Step, ...]:
    """Earlier runs' replies about the sample that are no whole outcome, the last of each step."""
    found = journal.steps(sample.key)
    if not found:
        return ()
    content = contents.content(sample)
    steps: dict[str, Step] = {}
    for content_id, replies in found:
        if await is_about(content_id, content, trusted=journal.trusted):
            steps |= {step.name: step for step in replies}
    return tuple(steps.values())


async def with_data(
    outcome: Caption, picture: Picture | Callable[[], Awaitable[Picture]]
) -> tuple[Outcome | None, bytes | None]:
    """A caption with the bytes of its picture; a failure without one, None where it is another by now."""
    try:
        found = picture if isinstance(picture, Picture) else await picture()
        data = await in_thread(lambda: found.data)
    except PictureError as error:  # captioned earlier, gone since
        return Failure(key=outcome.key, kind=error.kind, message=str(error), steps=outcome.steps), None
    if ContentId.parse(outcome.content_id).digest in {"", found.digest}:
        return outcome, data
    return None, None


def replaced(outcome: Caption) -> Failure:
    """The failure of a caption whose picture became another meanwhile: the two are not written together."""
    message = "the picture was replaced after its caption was made"
    return Failure(key=outcome.key, kind="changed", message=message, steps=outcome.steps)
