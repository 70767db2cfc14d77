"""Filter an input: measure it, list the kept pictures, and tell why the others are rejected."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from cutline.credentials import without_credentials
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.failure_stats import without_name
from cutline.engine.filter_page import Examples, filter_page
from cutline.engine.moved_pictures import PictureMover
from cutline.engine.overlap import files_read, output_paths, refuse_overlap
from cutline.engine.picture_list import Columns, Replacement, Row, RowFile, check_list, image_root, write_list
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.report_file import WrittenFiles
from cutline.engine.sample_outcomes import of_rule
from cutline.engine.selection import Selection, measure_input, rules_of, summary_lines
from cutline.engine.state import failures_file, open_state
from cutline.errors import ConfigError
from cutline.files import name_to_text, write_errors
from cutline.filters.selection import refuse_nothing_left
from cutline.formatting import plural, stored_key, without_signatures
from cutline.interfaces import Measure, Source
from cutline.job import Job
from cutline.records import JSON, LeftOver, Sample
from cutline.serialization import valid_unicode
from cutline.sinks.rows import rejection_row
from cutline.sources.outputs import rejected_list
from cutline.storage import is_remote
from cutline.worker_threads import in_thread, worker_threads

RECORD: Final = "filter.json"

_PASSING: Final = {"changed", "fetch", "missing", "out-of-memory"}  # causes that are not in the file
_NAMED: Final = 5  # pictures that cannot be opened, in the summary
_LISTED: Final = 50  # of them in the report


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterResult:
    """``counts`` of the rejected by rule, ``failures`` by kind; ``outputs`` are the files that were written.

    ``image_root``: the folder or URL of pictures outside the list's own folder, if it names any. ``failed``
    are the first that cannot be opened, with the reason. ``moved`` pictures with ``moved_texts`` are in
    another folder, ``unmoved`` ones are not, as it was stopped; ``move_list`` is the list of the moves.
    ``staying`` pictures that cannot be opened are where they were.
    """

    kept: int
    counts: dict[str, int]
    failures: dict[str, int]
    failed: tuple[tuple[str, str], ...]
    outputs: tuple[Path, ...]
    image_root: str
    warnings: tuple[str, ...]
    left_over: tuple[LeftOver, ...]
    moved: int = 0
    moved_texts: int = 0
    staying: int = 0
    unmoved: int = 0
    move_list: Path | None = None

    @property
    def exit_code(self) -> int:
        return 1 if self.failures else 0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FilterActions:
    """What is done besides the list: a ``report`` as HTML, and the rejected pictures moved to a folder.

    ``move_failed``: those that cannot be opened too.
    """

    report: Path | None = None
    move_to: str | None = None
    move_failed: bool = False


async def filter_job(
    job: Job, actions: FilterActions = FilterActions(), *, progress: ProgressHook, stop: Stop
) -> FilterResult | None:
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
    mover = _mover(job, actions)
    with worker_threads(), open_state(job.output_path, job.run.state) as state:
        output = Path(job.output_path)
        written = WrittenFiles(state, RECORD, input_name=_input_name(job), what="`cutline filter`")
        _check_files(written, output, actions.report)
        moved = [] if mover is None else await in_thread(mover.moved_before)
        selection = await measure_input(
            job, rules, source, state.folder, progress=progress, stop=stop, moved=moved
        )
        if selection is None:
            return None
        refuse_nothing_left(selection.decisions)
        call = _Writing(job, source, selection, rules.measures, output, actions.report, written)
        result = await in_thread(call.write)
        if mover is None:
            return result
        files = call.rejected_files + (call.damaged_files if actions.move_failed else [])
        result = await in_thread(_move, mover, files, result, progress, stop)
        failed = sum(result.failures.values()) - (len(call.damaged_files) if actions.move_failed else 0)
        return dataclasses.replace(result, staying=failed)


def _moved_line(selection: Selection) -> list[str]:
    shares = [str(rule) for rule in selection.decisions.rules if rule.percent is not None]
    if not (shares and selection.moved):
        return []
    moved = plural(selection.moved, "picture")
    return [f"--keep {', '.join(shares)}: a share of the input with the {moved} moved before"]


def _input_name(job: Job) -> str:
    """The input as it is recorded, seen from the list, so that both can be moved together."""
    if is_remote(job.input_path):
        return without_signatures(without_credentials(job.input_path))
    assert job.output_path is not None
    folder = os.path.realpath(Path(job.output_path).parent)
    return name_to_text(os.path.relpath(os.path.realpath(job.input_path), folder))


def _rejected_file(output: Path) -> Path:
    return Path(rejected_list(str(failures_file(str(output), output))))


def _check_files(written: WrittenFiles, output: Path, report: Path | None) -> None:
    """Raises OutputExists for a file that an earlier call for the same input did not write."""
    for path in (output, _rejected_file(output), failures_file(str(output), output)):
        written.check(path, "choose another name for the list")
    if report is not None:
        written.check(report, "choose another --report")


def _mover(job: Job, actions: FilterActions) -> PictureMover | None:
    if actions.move_to is None:
        if actions.move_failed:
            raise ConfigError("--move-failed does nothing alone: name a folder with --move-to")
        return None
    if is_remote(job.input_path) or not Path(job.input_path).is_dir():
        name = without_signatures(without_credentials(job.input_path))
        raise ConfigError(
            f"--move-to moves pictures of a folder, and {name} is no local folder: filter their folder, "
            "or leave out --move-to"
        )
    if is_remote(actions.move_to):
        raise ConfigError("--move-to is no folder of this machine: give a local one")
    if Path(actions.move_to).exists() and not Path(actions.move_to).is_dir():
        raise ConfigError(f"--move-to {actions.move_to} is a file: give a folder, which need not exist")
    return PictureMover(job.input_path, actions.move_to)


def _move(
    mover: PictureMover, files: list[str], result: FilterResult, progress: ProgressHook, stop: Stop
) -> FilterResult:
    with contextlib.closing(mover):
        for number, file in enumerate(files):
            if stop.requested:
                break
            if number % 100 == 0:
                progress(Progress(waiting_for=f"moving pictures: {number:,}/{len(files):,}"))
            mover.move(file)
    unmoved = len(files) - mover.moved
    listed = mover.list if mover.moved else None
    return dataclasses.replace(
        result, moved=mover.moved, moved_texts=mover.texts, unmoved=unmoved, move_list=listed
    )


@dataclasses.dataclass(slots=True)
class _Writing:
    """The files of one call: the list, those beside it, and the report."""

    job: Job
    source: Source
    selection: Selection
    measures: Sequence[Measure]
    output: Path
    report: Path | None
    written: WrittenFiles
    rejected_files: list[str] = dataclasses.field(default_factory=list)
    damaged_files: list[str] = dataclasses.field(default_factory=list)

    def write(self) -> FilterResult:
        output, selection = self.output, self.selection
        _check_files(self.written, output, self.report)  # once more, as measuring may take hours
        listing = _Listing(self._samples(), selection, output)
        with contextlib.closing(listing), write_errors(output):
            columns = Columns(
                measures=[*selection.values_by_name], metadata=self._metadata, types=self.source.column_types
            )
            all_relative = write_list(output, listing.kept_rows(), columns, self.written.add)
            listing.publish(self.written.add)
        self.rejected_files, self.damaged_files = listing.files, listing.damaged_files
        outputs = [output, *(file.path for file in (listing.rejected, listing.unopened) if file.rows)]
        if self.report is not None:
            self._write_report(listing, self.report)
            outputs.append(self.report)
        return FilterResult(
            kept=selection.kept,
            counts=selection.decisions.counts(),
            failures=listing.failures,
            failed=tuple(listing.failed[:_NAMED]),
            outputs=tuple(outputs),
            image_root="" if all_relative else image_root(self.job),
            warnings=(*self.source.warnings, *summary_lines(selection.decisions), *_moved_line(selection)),
            left_over=tuple(self.source.left_over),
        )

    def _metadata(self) -> Iterator[Mapping[str, Any]]:
        return (sample.metadata for sample in self._samples())

    def _samples(self) -> Iterator[Sample]:
        return assembly.samples_of(self.source, assembly.limit_of(self.job))

    def _write_report(self, listing: _Listing, report: Path) -> None:
        listing.examples.find_kept(self._samples())
        page = filter_page(
            self.selection,
            self.measures,
            listing.examples,
            input_path=without_credentials(self.job.input_path),
            failed=listing.failed,
            failures=listing.unopened.rows,
        )
        part = report.with_name(f".{report.name}.part")
        with write_errors(report):
            try:
                part.write_bytes(page.encode(errors="replace"))
                self.written.add(part, report)
                part.replace(report)
            finally:
                part.unlink(missing_ok=True)


class _Listing:
    """One more listing of the source: the kept pictures, and meanwhile the others in their files."""

    def __init__(self, samples: Iterator[Sample], selection: Selection, output: Path) -> None:
        self._samples = samples
        self._selection = selection
        self.rejected = RowFile(_rejected_file(output))
        self.unopened = RowFile(failures_file(str(output), output))
        self.failures: dict[str, int] = {}
        self.failed: list[tuple[str, str]] = []
        self.examples = Examples()
        self.files: list[str] = []  # of rejected pictures
        self.damaged_files: list[str] = []

    def kept_rows(self) -> Iterator[Row]:
        for sample in self._samples:
            place = None if sample.location is None else self._selection.place(sample.key)
            if place is None:
                self._add_failure(sample)
            elif (row := rejected_row(sample, self._selection, place)) is not None:
                self._add_rejected(sample, row)
            else:
                yield sample, self._selection.values(place)

    def _add_rejected(self, sample: Sample, row: JSON) -> None:
        self.rejected.add(row)
        self.examples.add(sample, row)
        if sample.location is not None and (file := sample.location.file()) is not None:
            self.files.append(file)

    def _add_failure(self, sample: Sample) -> None:
        if sample.problem is not None:
            kind, message = sample.problem.kind, sample.problem.message
        else:
            row = self._selection.store.row(sample.key)
            error = None if row is None else self._selection.store.read(row).error
            kind, message = error or ("changed", "it came after the others were measured; run it again")
        self.failures[kind] = self.failures.get(kind, 0) + 1
        if kind not in _PASSING and sample.location is not None and (file := sample.location.file()):
            self.damaged_files.append(file)
        key = stored_key(valid_unicode(sample.key))
        if len(self.failed) < _LISTED:
            self.failed.append((key, without_name(message, sample.path, sample.key)))
        path = valid_unicode(without_signatures(sample.path))
        self.unopened.add({"image_id": key, "key": key, "image_path": path, "kind": kind, "message": message})

    def publish(self, before: Replacement) -> None:
        self.rejected.publish(before)
        self.unopened.publish(before)

    def close(self) -> None:
        self.rejected.discard()
        self.unopened.discard()


def rejected_row(sample: Sample, selection: Selection, place: int) -> JSON | None:
    """A rejected picture as a row of its list; None for one that is kept."""
    problem = selection.problem(place)
    return None if problem is None else rejection_row(sample, of_rule(sample.key, problem))
