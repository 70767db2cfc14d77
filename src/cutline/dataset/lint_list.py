"""Findings in a dataset's captions, and the ignored ones."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as pc

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
_FEW: Final = 10  # findings whose queries are run one by one
_WHOLE: Final = (r"(?i)(?:^|[^\pL\pN])", r"(?:$|[^\pL\pN])")
_LITERAL: Final[dict[Check, tuple[str, str]]] = {
    "sentence": ("", ""),
    "same": (r"^\s*", r"\s*$"),
    "case": (r"(?:^|[^\pL\pN])", r"(?:$|[^\pL\pN])"),
    "once": _WHOLE,
    "spelling": _WHOLE,
    "frequent": _WHOLE,
}
"""The patterns around a check's text in a caption."""


def read_ignored(history: History) -> frozenset[tuple[str, str]]:
    """The ignored findings, by check and text. Raises as the history."""
    content = history.value(_NAME)
    return frozenset((check, text) for check, text in orjson.loads(content)) if content else frozenset()


def ignore(history: History, check: Check, text: str, *, on: bool = True) -> frozenset[tuple[str, str]]:
    """Ignore a finding, or stop ignoring it; returns all ignored ones.

    ConfigError: there are too many. Raises as the history otherwise.
    """
    kept = read_ignored(history) - {(check, text)} | ({(check, text)} if on else set())
    if len(kept) > _LONGEST:
        raise ConfigError(f"{_LONGEST:,} findings are ignored already: remove some")
    history.store({_NAME: orjson.dumps(sorted(kept)) if kept else None})
    return kept


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LintList:
    """``findings`` in ``captions`` captions, with rows of the dataset."""

    findings: Sequence[Finding]
    captions: int


def lint_dataset(
    dataset: Dataset,
    rows: RowNumbers | None = None,
    checks: Sequence[Check] = CHECKS,
    *,
    most: int | None = MOST,
    progress: Progress | None = None,
) -> LintList:
    """The findings in ``rows``, or in all; ``progress`` is called with the number of finished checks."""
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


def finding_rows(dataset: Dataset, findings: Sequence[Finding]) -> RowNumbers:
    """The rows of any of these findings, in order; many are searched together."""
    parts = [np.array(finding.rows, np.int64) for finding in findings if finding.rows]
    by_check: dict[Check, list[Finding]] = {}
    for finding in findings:
        if not finding.rows:
            by_check.setdefault(finding.check, []).append(finding)
    for check, found in by_check.items():
        frame = _LITERAL.get(check) if len(found) > _FEW else None
        texts = [one.text for one in found if frame and (check != "case" or one.replace)]
        if frame and texts:
            parts.append(np.flatnonzero(_contains_any(dataset.texts(), texts, frame)))
        parts += [dataset.find(one.query) for one in found if one.text not in texts]
    return np.unique(np.concatenate(parts))


def other_rows(dataset: Dataset, findings: Sequence[Finding]) -> RowNumbers:
    """All rows of these findings except the first of each."""
    return np.unique(np.concatenate([finding_rows(dataset, [finding])[1:] for finding in findings]))


def _contains_any(
    captions: pa.ChunkedArray, texts: Sequence[str], frame: tuple[str, str]
) -> npt.NDArray[np.bool_]:
    """Whether each caption has one of the texts, between two patterns of RE2."""
    escaped = "|".join(re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text) for text in texts)
    found = pc.match_substring_regex(captions, f"{frame[0]}(?:{escaped}){frame[1]}")
    return np.asarray(pc.fill_null(found, fill_value=False))


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
