"""What a filter did as one HTML file that loads nothing: counts, histograms, rejected pictures."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from cutline.engine.selection import Selection, summary_lines
from cutline.errors import PictureError
from cutline.filters.rules import Rule, shown
from cutline.filters.selection import Values
from cutline.formatting import stored_key
from cutline.imaging import Picture
from cutline.imaging.thumbnails import Thumbnail, thumbnail
from cutline.interfaces import Measure
from cutline.records import JSON, Location, Sample
from cutline.web.html import render, style

POLICY: Final = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
)
SHOWN: Final = 24  # rejected pictures of each rule

_BARS: Final = 40
_SIDE: Final = 220  # pixels of a thumbnail


@dataclasses.dataclass(slots=True)
class Examples:
    """The first rejected pictures of each rule, and where the pictures kept for duplicates are."""

    rows: dict[str, list[tuple[Sample, JSON]]] = dataclasses.field(default_factory=dict)
    kept: dict[str, Location] = dataclasses.field(default_factory=dict)

    def add(self, sample: Sample, row: JSON) -> None:
        """Take a rejected picture, unless there are enough of its rule."""
        rows = self.rows.setdefault(row["rule"], [])
        if len(rows) < SHOWN:
            rows.append((sample, row))

    def find_kept(self, samples: Iterable[Sample]) -> None:
        """Look up the pictures that are kept in place of the duplicates shown."""
        wanted = {row["kept"] for rows in self.rows.values() for _, row in rows if row["kept"]}
        for sample in samples if wanted else ():
            key = stored_key(sample.key)
            if key in wanted and sample.location is not None:
                self.kept[key] = sample.location
                wanted.discard(key)
            if not wanted:
                return


def filter_page(
    selection: Selection,
    measures: Sequence[Measure],
    examples: Examples,
    *,
    input_path: str,
    failed: Sequence[tuple[str, str]],
    failures: int,
) -> str:
    """The page; blocks, as it opens the pictures that it shows."""
    counts, total = selection.decisions.counts(), len(selection.rows)
    rejected = sum(counts.values())
    limits = {rule.name: rule for rule in selection.decisions.rules}
    histograms = [
        _histogram(measure, selection.values_by_name[measure.name], limits.get(measure.name))
        for measure in measures
    ]
    facts = [("Kept", f"{selection.kept:,}"), ("Rejected", f"{rejected:,}")]
    return render(
        "filter_report.html",
        title=f"{selection.kept:,} of {total + failures:,} pictures are kept",
        policy=POLICY,
        style=style("filter_report.css"),
        input=input_path,
        made=dt.datetime.now().astimezone(),
        facts=[*facts, *([("Cannot be opened", f"{failures:,}")] if failures else [])],
        counts=[(rule, count, count / max(1, total)) for rule, count in counts.items()],
        notes=summary_lines(selection.decisions),
        histograms=[histogram for histogram in histograms if histogram is not None],
        rules=[_rejected(rule, count, examples) for rule, count in counts.items()],
        failed=failed,
        failures=failures,
    )


def _histogram(measure: Measure, values: Values, rule: Rule | None) -> dict[str, Any] | None:
    """Bars from the 0.5 % to the 99.5 % quantile, those beyond in the outer ones."""
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    low, high = np.quantile(known, (0.005, 0.995)).tolist()
    is_cut = bool(known.min() < low or known.max() > high)
    if low == high:
        high = low + 1
    counts, edges = np.histogram(np.clip(known, low, high), bins=_BARS, range=(low, high))
    middles = (edges[:-1] + edges[1:]) / 2
    out = np.zeros(_BARS, dtype=bool) if rule is None else rule.rejects(middles)
    bars = [
        {"height": 100 * count / counts.max(), "count": count, "out": is_out, "label": shown(middle)}
        for count, is_out, middle in zip(counts.tolist(), out.tolist(), middles.tolist(), strict=True)
    ]
    return {
        "name": measure.name,
        "meaning": measure.meaning,
        "bars": bars,
        "low": shown(float(known.min())),
        "high": shown(float(known.max())),
        "drawn": None if not is_cut else (shown(low), shown(high)),
        "median": shown(float(np.median(known))),
        "rule": None if rule is None else str(rule),
        "limit": None if rule is None or rule.percent is None else shown(rule.limit),
        "without": len(values) - len(known),
    }


def _rejected(rule: str, count: int, examples: Examples) -> dict[str, Any]:
    pictures = []
    for sample, row in examples.rows.get(rule, ()):
        kept = examples.kept.get(row["kept"]) if row["kept"] else None
        pictures.append(
            {
                "key": row["key"],
                "reason": row["reason"],
                "thumbnail": _small(sample.location),
                "kept": row["kept"],
                "kept_thumbnail": _small(kept),
                "values": [(name, shown(value)) for name, value in row.items() if isinstance(value, float)],
            }
        )
    return {"rule": rule, "count": count, "pictures": pictures}


def _small(location: Location | None) -> Thumbnail | None:
    """None for what is elsewhere: a report downloads nothing again."""
    if location is None or location.url() is not None:
        return None
    try:
        return thumbnail(Picture(location), _SIDE)
    except PictureError:
        return None
