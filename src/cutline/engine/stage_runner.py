"""The stages of a run: filters before the chain, checks between the chain and the output."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cutline.engine.content import ContentId
from cutline.engine.stage_results import validate_rejection, validate_result
from cutline.engine.stats import Counts
from cutline.errors import ConfigError, RunStopped, SampleError
from cutline.formatting import one_line, plural
from cutline.imaging import Picture
from cutline.interfaces import Check, CheckResult, Draft, Filter, Rejection, Stage, Violation
from cutline.records import JSON, Caption, Sample, Skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A caption after the checks; ``notes`` by the check's name, None without checks."""

    text: str
    fields: JSON | None
    notes: JSON | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """A check wants another caption; ``reason`` and ``message`` are those of its violation."""

    check: str
    reason: str
    message: str


class StageRunner:
    """All stages of a run as one; each check receives the caption from the one before."""

    def __init__(self, filters: Sequence[Filter] = (), checks: Sequence[Check] = ()) -> None:
        self.filters = filters
        self.checks = sorted(checks, key=lambda check: check.remembers)
        self._stages: list[Stage] = [*filters, *checks]

    @property
    def ids(self) -> tuple[str, ...]:
        """Each stage's name and fingerprint: what ``Skip.stage`` holds."""
        return tuple(map(stage_id, self._stages))

    @property
    def fingerprints(self) -> dict[str, tuple[str, ...]]:
        """The stages' ids by room, for the run's fingerprint."""
        return {"filters": tuple(map(stage_id, self.filters)), "checks": tuple(map(stage_id, self.checks))}

    async def open(self, say: Callable[[str], None]) -> None:
        """Open all stages before anything is paid for; raises as they do."""
        for stage in self._stages:
            await stage.open(say)

    async def filter(self, sample: Sample, picture: Picture, content_id: str) -> Skip | None:
        """The rejection of the first filter that rejects the sample.

        Raises:
            SampleError: a filter failed, or ran out of memory, for this picture.
            RunStopped: the run cannot continue.
        """
        for stage in self.filters:
            with _failures_of(stage, "filter"):
                rejection = await stage.filter(sample, picture)
                validate_rejection(rejection)
            if rejection is not None:
                return _skip(stage, rejection, sample.key, content_id)
        return None

    async def check(
        self, draft: Draft, content_id: str, *, retried: Sequence[RetryRequest] = (), can_retry: bool = False
    ) -> Checked | Skip | RetryRequest:
        """The caption after the checks, the first rejection, or a check's request for another caption.

        ``retried`` are those about earlier captions of the sample; without ``can_retry`` it fails instead.
        Raises as ``filter``.
        """
        notes: JSON = {}
        for stage in self.checks:
            with _failures_of(stage, "check"):
                found = await stage.check(draft)
                validate_result(found)
            reasons = [one.reason for one in retried if one.check == stage.name]
            result = (
                _resolve(stage, draft, found, retries=len(retried), can_retry=can_retry)
                if isinstance(found, Violation)
                else found
            )
            if isinstance(result, RetryRequest):
                return result
            if isinstance(result, Rejection):
                return dataclasses.replace(
                    _skip(stage, result, draft.sample.key, content_id), steps=draft.steps
                )
            draft = dataclasses.replace(draft, text=result.text, fields=result.fields)
            notes[stage.name] = {**result.note, **({"retried": reasons} if reasons else {})}
        for stage in self.checks:  # with no await since the last check, which was one that remembers
            if stage.remembers:
                stage.remember(draft.text, draft.picture_id)
        return Checked(text=draft.text, fields=draft.fields, notes=notes if self.checks else None)

    @property
    def remembers(self) -> bool:
        """Whether a check compares the captions of a run with each other."""
        return any(check.remembers for check in self.checks)

    def refuse_comparisons(self, where: str) -> None:
        """Raise ConfigError for such a check, which has nothing to compare there."""
        for check in self.checks:
            if check.remembers:
                raise ConfigError(
                    f"--check {check.name} compares the captions of a run: leave it out of {where}"
                )

    def remember(self, captions: Iterable[Caption]) -> None:
        """Make such checks remember captions of earlier runs."""
        for caption in captions:
            for stage in self.checks:
                if stage.remembers:
                    stage.remember(*_remembered(caption))

    def forget(self, caption: Caption) -> None:
        """Make them forget one: its picture is captioned again."""
        for stage in self.checks:
            if stage.remembers:
                stage.forget(*_remembered(caption))

    def summaries(self, counts: Counts) -> Mapping[str, str]:
        """Each stage's line for the summary, by its name; without those that have none."""
        lines = {}
        for stage in self._stages:
            own = dict(counts.stages.get(stage.name, ()))
            lines[stage.name] = stage.summary({**own, "failed": counts.kinds[stage.name]})
        before = 0  # captions that a check before stopped
        stopped = {check.name: _stopped(check, counts) for check in self.checks}
        reached = counts.captions + sum(stopped.values())
        for check in self.checks:
            if reached == before:
                lines[check.name] = "looked at no caption"
            elif lines[check.name] and before:
                unseen = plural(before, "caption")
                lines[check.name] += f"; not looked at: {unseen} that a check before failed or skipped"
            before += stopped[check.name]
        return {name: line for name, line in lines.items() if line}

    async def aclose(self) -> None:
        for stage in self._stages:
            await stage.aclose()


def _remembered(caption: Caption) -> tuple[str, str]:
    """The text as the checks left it, and what tells the picture from others."""
    source = caption.source
    text = caption.draft if caption.draft is not None else source.text if source else caption.text
    return text, ContentId.parse(caption.content_id).digest or caption.key


def _stopped(check: Check, counts: Counts) -> int:
    """How many captions did not get past the check."""
    return counts.kinds[check.name] + dict(counts.stages.get(check.name, ())).get("skipped", 0)


def stage_id(stage: Stage) -> str:
    """The stage's name and fingerprint."""
    return f"{stage.name} {stage.fingerprint}".rstrip()


def action_of(check: Check) -> str:
    """What becomes of a caption that the check objects to."""
    return str(getattr(check.options, "action", "fail"))


def is_kept(check: Check, draft: Draft, found: CheckResult | Rejection | Violation) -> str | None:
    """The text with which a caption is kept after what a check found; None where it is not."""
    if isinstance(found, Violation):
        try:
            resolved = _resolve(check, draft, found, retries=0, can_retry=False)
        except SampleError:
            return None
        return resolved.text if isinstance(resolved, CheckResult) else None
    return found.text if isinstance(found, CheckResult) else None


def _resolve(
    check: Check, draft: Draft, found: Violation, *, retries: int, can_retry: bool
) -> CheckResult | Rejection | RetryRequest:
    """What becomes of a violation by the check's action; raises SampleError where that is to fail."""
    action, message = action_of(check), found.message
    if action == "skip":
        return Rejection(reason=found.reason, value=dict(found.note))
    if action == "note":
        return CheckResult(text=draft.text, fields=draft.fields, note={**found.note, "noted": [found.reason]})
    if action == "repair":
        if found.repaired is not None:
            note = {**found.repaired.note, "repaired": [found.reason]}
            return dataclasses.replace(found.repaired, note=note)
        message = f"{message}, and it cannot be repaired"
    if action == "retry":
        if can_retry:
            return RetryRequest(check=check.name, reason=found.reason, message=message)
        if retries:
            message = f"{message}; so it was after {plural(retries, 'retry', 'retries')}"
    raise SampleError(check.name, message)


def _skip(stage: Stage, rejection: Rejection, key: str, content_id: str) -> Skip:
    return Skip(
        key=key, reason=rejection.reason, value=rejection.value, stage=stage_id(stage), content_id=content_id
    )


@contextlib.contextmanager
def _failures_of(stage: Stage, kind: str) -> Iterator[None]:
    """Turn an unexpected error of a stage into a failure of the picture."""
    try:
        yield
    except (RunStopped, SampleError):
        raise
    except MemoryError:
        message = f"{stage.name} needs more memory than there is for this picture"
        raise SampleError("out-of-memory", message) from None
    except (Exception, SystemExit) as error:  # sys.exit() of a plug-in
        message = f"{stage.name}: {type(error).__name__}: {one_line(error)}"
        raise SampleError(kind, message) from error
