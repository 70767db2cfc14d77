"""Filter an input: measure it, list the kept pictures, and why the others are rejected."""

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
from cutline.engine.filter_page import filter_page
from cutline.engine.filtered_rows import FilteredRows, rejected_file
from cutline.engine.moved_pictures import PictureMover
from cutline.engine.overlap import files_read, refuse_overlap, run_paths
from cutline.engine.picture_list import Columns, check_list, image_root, write_list
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.report_file import WrittenFiles
from cutline.engine.selection import Selection, measure_input, rules_of, summary_lines
from cutline.engine.state import failures_file, open_state
from cutline.errors import ConfigError
from cutline.files import name_to_text, new_part, write_errors
from cutline.filters.selection import refuse_nothing_left
from cutline.formatting import plural, without_signatures
from cutline.interfaces import Measure, Source
from cutline.job import Job
from cutline.records import LeftOver, Sample
from cutline.storage import is_remote
from cutline.worker_threads import in_thread, worker_threads

RECORD: Final = "filter.json"

_NAMED: Final = 5  # pictures that cannot be opened, in the summary


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
    """Actions in addition to the list: write a ``report`` as HTML, move the rejected pictures to a folder.

    ``move_failed``: also move those that cannot be opened.
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
    assembly.prepare(job)
    rules = rules_of(job, decode=True)
    paths = run_paths(job.input_path, job.output_path, job.run.state)
    refuse_overlap(paths, "jsonl", files_read(job))
    source = assembly.source_of(job, paths)
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
        call = _FilterFiles(job, source, selection, rules.measures, output, actions.report, written)
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


def _check_files(written: WrittenFiles, output: Path, report: Path | None) -> None:
    """Raises OutputExists for a file that an earlier call for the same input did not write."""
    for path in (output, rejected_file(output), failures_file(str(output), output)):
        written.check(path, "choose another name for the list")
    if report is not None:
        written.check(report, "choose another --report")


def _mover(job: Job, actions: FilterActions) -> PictureMover | None:
    if actions.move_to is None:
        if actions.move_failed:
            raise ConfigError("--move-failed has no effect alone: add --move-to FOLDER")
        return None
    if is_remote(job.input_path) or not Path(job.input_path).is_dir():
        name = without_signatures(without_credentials(job.input_path))
        raise ConfigError(
            f"--move-to moves pictures of a folder, and {name} is not a local folder: filter their folder, "
            "or remove --move-to"
        )
    if is_remote(actions.move_to):
        raise ConfigError("--move-to is not a local folder: give one on this machine")
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
class _FilterFiles:
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
        listing = FilteredRows(self._samples(), selection, output)
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

    def _write_report(self, listing: FilteredRows, report: Path) -> None:
        listing.examples.find_kept(self._samples())
        page = filter_page(
            self.selection,
            self.measures,
            listing.examples,
            input_path=without_credentials(self.job.input_path),
            failed=listing.failed,
            failures=listing.unopened.rows,
        )
        with write_errors(report):
            part = new_part(report)
            try:
                part.write_bytes(page.encode(errors="replace"))
                self.written.add(part, report)
                part.replace(report)
            finally:
                part.unlink(missing_ok=True)
