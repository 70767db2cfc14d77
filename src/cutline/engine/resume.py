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
    if sample.problem is not None and sample.problem.rule:
        return None, False  # a rule rejects it; an earlier caption stays in the journal
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


def known_outcome(sample: Sample, journal: JournalStore, contents: ContentReader) -> Outcome | None:
    """As ``earlier_outcome``, but blocks, and records nothing."""
    outcome = journal.get(sample.key)
    if outcome is None or (sample.problem is not None and sample.problem.rule):
        return None
    trusted = journal.trusted and not isinstance(outcome, Failure)
    return outcome if contents.content(sample).matches(outcome.content_id, trusted=trusted) else None


async def rechecked(
    sample: Sample,
    outcome: Outcome,
    journal: JournalStore,
    load: Callable[[str], Awaitable[Picture | None]],
) -> Outcome | None:
    """An earlier outcome, or None where the picture behind its URL is another by now.

    Pictures that a listing tells apart were looked at before, and those that were never had are left alone.
    ``load`` downloads a picture unless its server still has the version it is called with. Raises
    PictureError where the picture is not available now.
    """
    content_id, location = ContentId.parse(outcome.content_id), sample.location
    never_read = isinstance(outcome, Failure) and not content_id.digest
    if location is None or never_read or (location.url() is None and location.content_id()):
        return outcome
    picture = await load(content_id.validator)
    if picture is None:
        return outcome
    await in_thread(lambda: picture.data)
    if picture.digest != content_id.digest:
        return None
    if picture.etag != content_id.validator and location.url() is not None:
        content_id = dataclasses.replace(content_id, validator=picture.etag)
        journal.append_content(sample.key, str(content_id))
        outcome = dataclasses.replace(outcome, content_id=str(content_id))
    return outcome


def digest_of(outcome: Outcome) -> str:
    """The digest of the picture that an outcome is about; empty if unknown."""
    return ContentId.parse(outcome.content_id).digest


async def earlier_steps(
    sample: Sample, journal: JournalStore, contents: ContentReader, outdated: str = ""
) -> tuple[Step, ...]:
    """Earlier runs' replies about the sample that are no whole outcome, the last to each request of a step.

    Those about a picture with the ``outdated`` digest do not count.
    """
    found = journal.steps(sample.key)
    if not found:
        return ()
    content = contents.content(sample)
    steps: dict[tuple[str, str], Step] = {}
    for content_id, replies in found:
        if outdated and ContentId.parse(content_id).digest == outdated:
            continue
        if await is_about(content_id, content, trusted=journal.trusted):
            steps |= {(step.name, step.asked): step for step in replies}
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
