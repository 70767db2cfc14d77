"""The stages of a run: filters before the chain, checks between the chain and the output."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from cutline.engine.stats import Counts
from cutline.errors import RunStopped, SampleError
from cutline.formatting import one_line
from cutline.imaging import Picture
from cutline.interfaces import Check, CheckResult, Draft, Filter, Rejection, Stage
from cutline.records import JSON, Sample, Skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A caption after the checks; ``notes`` by the check's name, None without checks."""

    text: str
    fields: JSON | None
    notes: JSON | None = None


class StageRunner:
    """All stages of a run as one; each check receives the caption from the one before."""

    def __init__(self, filters: Sequence[Filter] = (), checks: Sequence[Check] = ()) -> None:
        self.filters = filters
        self.checks = checks
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
            RunStopped: the run cannot go on.
        """
        for stage in self.filters:
            with _failures_of(stage, "filter"):
                rejection = await stage.filter(sample, picture)
            if rejection is not None:
                return _skip(stage, rejection, sample.key, content_id)
        return None

    async def check(self, draft: Draft, content_id: str) -> Checked | Skip:
        """The caption after the checks, or the first rejection; raises as ``filter``."""
        notes: JSON = {}
        for stage in self.checks:
            with _failures_of(stage, "check"):
                result = await stage.check(draft)
            if isinstance(result, Rejection):
                return dataclasses.replace(
                    _skip(stage, result, draft.sample.key, content_id), steps=draft.steps
                )
            assert isinstance(result, CheckResult)
            draft = dataclasses.replace(draft, text=result.text, fields=result.fields)
            notes[stage.name] = dict(result.note)
        return Checked(text=draft.text, fields=draft.fields, notes=notes if self.checks else None)

    def summaries(self, counts: Counts) -> Mapping[str, str]:
        """Each stage's line for the summary, by its name; without those that have none."""
        lines = {}
        for stage in self._stages:
            own = dict(counts.stages.get(stage.name, ()))
            lines[stage.name] = stage.summary({**own, "failed": counts.kinds[stage.name]})
        return {name: line for name, line in lines.items() if line}

    async def aclose(self) -> None:
        for stage in self._stages:
            await stage.aclose()


def stage_id(stage: Stage) -> str:
    """The stage's name and fingerprint."""
    return f"{stage.name} {stage.fingerprint}".rstrip()


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
    except Exception as error:
        message = f"{stage.name}: {type(error).__name__}: {one_line(error)}"
        raise SampleError(kind, message) from error
