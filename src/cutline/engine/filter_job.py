"""Filter an input: measure it, list the kept pictures, and tell why the others are rejected."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.overlap import files_read, output_paths, refuse_overlap
from cutline.engine.picture_list import Row, RowFile, check_list, write_list
from cutline.engine.progress import ProgressHook
from cutline.engine.selection import Selection, measure_input, rules_of, summary_lines
from cutline.engine.state import State, failures_file, open_state
from cutline.errors import ConfigError
from cutline.files import write_errors
from cutline.filters.selection import KEPT, refuse_nothing_left
from cutline.formatting import stored_key, without_signatures
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import JSON, LeftOver, Sample
from cutline.serialization import valid_unicode
from cutline.worker_threads import in_thread, worker_threads

RECORD: Final = "filter.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterResult:
    """``counts`` of the rejected by rule, ``failures`` by kind; ``outputs`` are the files that were written.

    ``needs_root``: the list names pictures outside its folder. ``failed`` are the first that cannot be
    opened, with the reason.
    """

    kept: int
    counts: dict[str, int]
    failures: dict[str, int]
    failed: tuple[tuple[str, str], ...]
    outputs: tuple[Path, ...]
    needs_root: bool
    warnings: tuple[str, ...]
    left_over: tuple[LeftOver, ...]

    @property
    def exit_code(self) -> int:
        return 1 if self.failures else 0


async def filter_job(job: Job, *, progress: ProgressHook, stop: Stop) -> FilterResult | None:
    """List what the job's rules keep of its input; None if it is stopped, and the next call continues.

    Raises:
        ConfigError: a rule or measure cannot be used, no picture is kept, or the list cannot have that name.
        SourceError: the input cannot be read; SinkError: the list cannot be written.
    """
    assert job.output_path is not None
    check_list(job.output_path)
    job.check()
    rules = rules_of(job, decode=True)
    refuse_overlap(job.input_path, output_paths(job.output_path, job.run.state), "jsonl", files_read(job))
    source = assembly.source_of(job)
    with worker_threads(), open_state(job.output_path, job.run.state) as state:
        output = Path(job.output_path)
        _check_output(output, state)
        selection = await measure_input(job, rules, source, state.folder, progress=progress, stop=stop)
        if selection is None:
            return None
        refuse_nothing_left(selection.decisions)
        state.write(RECORD, {"output": str(output)})
        return await in_thread(_write, job, source, selection, output)


def _check_output(output: Path, state: State) -> None:
    """Raises ConfigError for a file that an earlier call did not write."""
    if output.exists() and state.read(RECORD) is None:
        raise ConfigError(f"{output} is there already and no list of `cutline filter`: choose another name")


def _write(job: Job, source: Source, selection: Selection, output: Path) -> FilterResult:
    listing = _Listing(job, source, selection, output)
    with contextlib.closing(listing), write_errors(output):
        all_relative = write_list(output, listing.kept_rows(), selection.measured.values)
        listing.publish()
    return FilterResult(
        kept=selection.kept,
        counts=selection.decisions.counts(),
        failures=listing.failures,
        failed=tuple(listing.failed),
        outputs=(output, *(file.path for file in (listing.rejected, listing.unopened) if file.rows)),
        needs_root=not all_relative,
        warnings=(*source.warnings, *summary_lines(selection.decisions)),
        left_over=tuple(source.left_over),
    )


class _Listing:
    """One more listing of the source: the kept pictures, and meanwhile the others in their files."""

    def __init__(self, job: Job, source: Source, selection: Selection, output: Path) -> None:
        self._samples = assembly.samples_of(source, assembly.limit_of(job))
        self._selection = selection
        self.rejected = RowFile(output.with_name(f"{output.name}.rejected.jsonl"))
        self.unopened = RowFile(failures_file(str(output), output))
        self.failures: dict[str, int] = {}
        self.failed: list[tuple[str, str]] = []

    def kept_rows(self) -> Iterator[Row]:
        for sample in self._samples:
            place = None if sample.location is None else self._selection.place(sample.key)
            if place is None:
                self._add_failure(sample)
            elif (row := rejected_row(sample, self._selection, place)) is not None:
                self.rejected.add(row)
            else:
                yield sample, self._selection.values(place)

    def _add_failure(self, sample: Sample) -> None:
        if sample.problem is not None:
            kind, message = sample.problem.kind, sample.problem.message
        else:
            row = self._selection.store.row(sample.key)
            error = None if row is None else self._selection.store.read(row).error
            kind, message = error or ("changed", "it came after the others were measured; run it again")
        self.failures[kind] = self.failures.get(kind, 0) + 1
        key = stored_key(valid_unicode(sample.key))
        if len(self.failed) < 5:
            self.failed.append((key, message))
        path = valid_unicode(without_signatures(sample.path))
        self.unopened.add({"key": key, "image_path": path, "kind": kind, "message": message})

    def publish(self) -> None:
        self.rejected.publish()
        self.unopened.publish()

    def close(self) -> None:
        self.rejected.discard()
        self.unopened.discard()


def rejected_row(sample: Sample, selection: Selection, place: int) -> JSON | None:
    """A rejected picture as a row of its list; None for one that is kept."""
    if selection.decisions.reasons[place] == KEPT:
        return None
    problem = selection.problem(place)
    assert problem is not None
    return {
        "key": stored_key(valid_unicode(sample.key)),
        "image_path": valid_unicode(without_signatures(sample.path)),
        "rule": problem.rule,
        "reason": problem.message,
        "kept": problem.kept or None,
        **(problem.value or {}),
    }
