"""What is odd in a dataset's captions: a list that one works off, and what of it is ignored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import orjson
import pyarrow as pa

from cutline.analysis.findings import CHECKS, Check, Finding
from cutline.analysis.lint import MOST, kept_findings, lint
from cutline.analysis.word_index import WordIndex
from cutline.dataset.dataset import Dataset
from cutline.dataset.history import History
from cutline.dataset.preview import RowNumbers
from cutline.dataset.writer import Progress
from cutline.errors import ConfigError

_NAME: Final = "/lint-ignored"
_LONGEST: Final = 10_000  # findings that are ignored


def read_ignored(history: History) -> frozenset[tuple[str, str]]:
    """The findings that are ignored, by check and text. Raises as the history."""
    content = history.value(_NAME)
    return frozenset((check, text) for check, text in orjson.loads(content)) if content else frozenset()


def ignore(history: History, check: Check, text: str, *, on: bool = True) -> frozenset[tuple[str, str]]:
    """Ignore a finding from now on, or not any more; returns all that are ignored.

    ConfigError: there are too many. Raises as the history otherwise.
    """
    kept = read_ignored(history) - {(check, text)} | ({(check, text)} if on else set())
    if len(kept) > _LONGEST:
        raise ConfigError(f"{_LONGEST:,} findings are ignored already: take some back")
    history.store({_NAME: orjson.dumps(sorted(kept)) if kept else None})
    return kept


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LintList:
    """``findings`` in ``captions`` captions; ``rows`` of findings are those of the dataset."""

    findings: Sequence[Finding]
    captions: int


def lint_dataset(
    dataset: Dataset,
    rows: RowNumbers | None = None,
    checks: Sequence[Check] = CHECKS,
    *,
    most: int = MOST,
    progress: Progress | None = None,
) -> LintList:
    """What is odd in ``rows``, or in all; ``progress`` is called with the number of checks that are done."""
    texts = dataset.texts()
    places = np.arange(len(dataset)) if rows is None else np.unique(rows)
    if rows is not None:
        texts = texts.take(pa.array(places))
    ignored = read_ignored(dataset.history)
    index = WordIndex()
    index.update(texts)
    findings = [
        dataclasses.replace(finding, rows=tuple(places[list(finding.rows)].tolist()))
        if finding.rows
        else finding
        for finding in lint(texts, index, checks, ignored=ignored, most=most, progress=progress)
    ]
    if "picture" in checks and dataset.unit == "file":
        findings += kept_findings(_pictures(dataset, places), ignored, most)
        findings.sort(key=lambda finding: CHECKS.index(finding.check))
    return LintList(findings=findings, captions=int(index.filled.sum()))


def finding_rows(dataset: Dataset, finding: Finding, within: RowNumbers | None = None) -> RowNumbers:
    """The rows of a finding, of these or of all."""
    found = np.array(finding.rows, np.int64) if finding.rows else dataset.find(finding.query)
    return found if within is None else np.intersect1d(found, within)


def _pictures(dataset: Dataset, places: RowNumbers) -> Iterator[Finding]:
    for group in sorted(dataset.picture_groups(places), key=len, reverse=True):
        yield Finding(
            check="picture",
            text=dataset.entries[group[0]].key,
            count=len(group),
            message=f"is there {len(group):,} times, byte by byte",
            query="dup:picture",
            rows=tuple(group),
        )
