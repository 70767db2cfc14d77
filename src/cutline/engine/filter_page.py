"""What a filter did as one HTML file that loads nothing: counts, measured, rejected pictures."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np

from cutline.engine.selection import Selection, summary_lines
from cutline.errors import PictureError
from cutline.filters.rules import Rule
from cutline.filters.selection import Values
from cutline.formatting import number, stored_key
from cutline.imaging import Picture
from cutline.imaging.thumbnails import Thumbnail, thumbnail
from cutline.interfaces import Measure
from cutline.records import JSON, Location, Sample
from cutline.web.histogram import distribution, histogram
from cutline.web.html import render, style

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
    measured = [
        _measure(measure, selection.values_by_name[measure.name], limits.get(measure.name))
        for measure in measures
    ]
    facts = [("kept", f"{selection.kept:,}"), ("rejected", f"{rejected:,}")]
    return render(
        "filter_report.html",
        title=f"{selection.kept:,} of {total + failures:,} pictures are kept",
        style=style("report.css", "filter_report.css"),
        input=input_path,
        made=dt.datetime.now().astimezone(),
        facts=[*facts, *([("cannot be opened", f"{failures:,}")] if failures else [])],
        counts=[(rule, count, count / max(1, total)) for rule, count in counts.items()],
        notes=summary_lines(selection.decisions),
        measures=[each for each in measured if each is not None],
        rules=[_rejected(rule, count, examples) for rule, count in counts.items()],
        failed=failed,
        failures=failures,
    )


def _measure(measure: Measure, values: Values, rule: Rule | None) -> dict[str, Any] | None:
    known = values[~np.isnan(values)]
    if not len(known):
        return None
    return {
        "name": measure.name,
        "meaning": measure.meaning,
        "bars": histogram(known, bins=_BARS, marked=None if rule is None else rule.rejects),
        "figures": distribution(known),
        "rule": None if rule is None else str(rule),
        "limit": None if rule is None or rule.percent is None else number(rule.limit),
        "without": len(values) - len(known),
    }


def _rejected(rule: str, count: int, examples: Examples) -> dict[str, Any]:
    pictures = []
    for sample, row in examples.rows.get(rule, ()):
        kept = examples.kept.get(row["kept"]) if row["kept"] else None
        pictures.append(
            {
                "key": row["image_id"],
                "reason": row["reason"],
                "thumbnail": _small(sample.location),
                "kept": row["kept"],
                "kept_thumbnail": _small(kept),
                "values": [(name, number(value)) for name, value in row.items() if isinstance(value, float)],
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
