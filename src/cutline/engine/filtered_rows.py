"""The second listing of a filtered input: kept pictures, and the files of the others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cutline.engine.failure_stats import without_name
from cutline.engine.filter_page import Examples
from cutline.engine.picture_list import Replacement, Row, RowFile
from cutline.engine.sample_outcomes import of_rule
from cutline.engine.selection import Selection
from cutline.engine.state import failures_file
from cutline.formatting import stored_key, without_signatures
from cutline.records import JSON, Sample
from cutline.serialization import valid_unicode
from cutline.sinks.rows import rejection_row
from cutline.sources.outputs import rejected_list

_PASSING: Final = {"changed", "fetch", "missing", "out-of-memory"}  # temporary, or not a fault of the file
_LISTED: Final = 50  # pictures that cannot be opened, in the report


class FilteredRows:
    """Lists the source once more: yields the kept pictures, and writes the others to their files."""

    def __init__(self, samples: Iterator[Sample], selection: Selection, output: Path) -> None:
        self._samples = samples
        self._selection = selection
        self.rejected = RowFile(rejected_file(output))
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
            kind, message = error or (
                "changed",
                "added after the others were measured: run the command again",
            )
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


def rejected_file(output: Path) -> Path:
    return Path(rejected_list(str(failures_file(str(output), output))))
