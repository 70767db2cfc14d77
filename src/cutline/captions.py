"""The result of captioning several pictures from Python: the run's report, and the rows of its output."""

from __future__ import annotations

import collections
import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, overload

from cutline.engine.report import Report
from cutline.engine.state import failures_file
from cutline.errors import ConfigError
from cutline.keyword_names import named_in, with_keywords
from cutline.records import JSON
from cutline.sinks.reader import read_rows
from cutline.sources.outputs import rejected_list

if TYPE_CHECKING:
    from pandas import DataFrame


def data_frame(rows: Sequence[JSON]) -> DataFrame:
    """The rows as a pandas data frame; ConfigError: pandas is not installed."""
    try:
        import pandas as pd
    except ImportError:
        raise ConfigError("to_pandas() needs pandas: pip install pandas") from None
    return pd.DataFrame(rows)


def named_report(report: Report) -> Report:
    """A report whose messages name keyword arguments, as a call in Python returns it."""
    failed = ({**row, "message": with_keywords(str(row.get("message", "")))} for row in report.failed)
    return dataclasses.replace(
        named_in(report, "stopped", "warnings"),
        failed=tuple(failed),
        causes={
            kind: tuple(named_in(one, "message") for one in ones) for kind, ones in report.causes.items()
        },
        left_over=tuple(named_in(one, "cure") for one in report.left_over),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """The result of ``caption``: the report of the run, and the rows of its output.

    Iterating gives one mapping for each caption, with the columns of docs/outputs.md. ``rows``, ``failed``
    and ``skipped`` are None when the run had an output: then they are read from its files. ``captions[0]``
    and ``captions[:3]`` read no further than needed; negative indices read everything.
    """

    report: Report
    rows: Sequence[JSON] | None = None
    failed: Sequence[JSON] | None = None
    skipped: Sequence[JSON] | None = None
    output_format: str | None = None

    def __iter__(self) -> Iterator[JSON]:
        if self.rows is not None:
            return iter(self.rows)
        return read_rows(self.report.output, self.output_format)

    @overload
    def __getitem__(self, index: int) -> JSON: ...
    @overload
    def __getitem__(self, index: slice) -> list[JSON]: ...
    def __getitem__(self, index: int | slice) -> JSON | list[JSON]:
        if isinstance(index, slice):
            parts = (index.start, index.stop, index.step)
            if any(part is not None and part < 0 for part in parts):
                return list(self)[index]
            return list(itertools.islice(self, *parts))
        if index < 0:
            rows = collections.deque(self, maxlen=-index)
            found = rows[0] if len(rows) == -index else None
        else:
            found = next(itertools.islice(self, index, None), None)
        if found is None:
            raise IndexError(f"there is no caption {index}: there are {len(self):,}")
        return found

    def __len__(self) -> int:
        return self.report.counts.captions

    def __repr__(self) -> str:
        counts = self.report.counts
        stopped = "" if self.report.stopped is None else ", stopped"
        return f"<{counts.captions} captions, {counts.failures} failures, by {self.report.model}{stopped}>"

    def to_dict(self) -> dict[str, str]:
        """Captions by the picture's key."""
        return {row["image_id"]: row["caption"] for row in self}

    @property
    def failures(self) -> list[JSON]:
        """The pictures without caption: ``key``, ``kind``, ``message`` … of each."""
        if self.failed is not None:
            return list(self.failed)
        path = failures_file(self.report.output, Path(self.report.state))
        rows = read_rows(str(path), "jsonl") if path.exists() else self.report.failed
        return [{**row, "message": with_keywords(str(row.get("message", "")))} for row in rows]

    @property
    def rejected(self) -> list[JSON]:
        """The pictures that a rule, filter or check skipped: ``rule``, ``reason`` and what was measured."""
        if self.skipped is not None:
            return list(self.skipped)
        path = Path(rejected_list(str(failures_file(self.report.output, Path(self.report.state)))))
        return list(read_rows(str(path), "jsonl") if path.exists() else ())

    def to_pandas(self) -> DataFrame:
        """A pandas data frame with a row for each caption; ConfigError: pandas is not installed."""
        return data_frame(list(self))

    def _repr_html_(self) -> str:
        """The first rows, for notebooks."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(text)}</td></tr>" for key, text in self.report.first
        )
        failures = f"{self.report.counts.failures:,} failures"
        head = f"<p>{len(self):,} captions, {failures}, by {escape(self.report.model)}</p>"
        return f"{head}<table><tr><th>picture</th><th>caption</th></tr>{rows}</table>"
