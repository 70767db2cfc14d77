"""Decide which pictures are kept, from the measures of all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, Literal, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from cutline.errors import ConfigError
from cutline.filters.near import nearest_kept
from cutline.filters.pages import Pages
from cutline.filters.rules import Rule, check_rule, parse_rules
from cutline.interfaces import Measure, MeasureOptions
from cutline.measures.catalog import make_measure, usual_measures

Dedup: TypeAlias = Literal["exact", "near"]
Values: TypeAlias = NDArray[np.float64]

KEPT: Final = -1
EXACT: Final = -2
NEAR: Final = -3

_NONE: Final = np.zeros(0)
_FACTOR: Final = np.uint64(0x9E3779B97F4A7C15)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureRules:
    """The rules of a run, and the measures that they need.

    ``needs_pixels``: pictures are decoded; otherwise only their headers and bytes are read.
    """

    rules: tuple[Rule, ...]
    dedup: Dedup | None
    measures: tuple[Measure, ...]
    needs_pixels: bool

    @classmethod
    def of(
        cls, keep: Sequence[str], dedup: Dedup | None, options: MeasureOptions, *, decode: bool = False
    ) -> Self:
        """Build them; ``decode`` adds all cheap measures.

        Raises:
            ConfigError: a rule is misspelt, contradicts another, or names no measure.
            MissingExtra: a measure needs an extra that is not installed.
        """
        rules = parse_rules(keep)
        named = {rule.name: make_measure(rule.name, options) for rule in rules}
        for rule in rules:
            check_rule(rule, named[rule.name])
        needs_pixels = decode or dedup == "near" or any(one.needs_pixels for one in named.values())
        usual = {one.name: one for one in usual_measures(options) if needs_pixels or not one.needs_pixels}
        measures = tuple((usual | named).values())
        return cls(rules=tuple(rules), dedup=dedup, measures=measures, needs_pixels=needs_pixels)

    def __bool__(self) -> bool:
        """Whether the rules can reject anything."""
        return bool(self.rules or self.dedup)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The measures of all readable pictures, in input order.

    ``values`` by the measure's name, NaN where there is none; ``digests``: shape (n, 2), of the bytes;
    ``hashes``: shape (n, 64); ``hashed``: which have detail to compare; ``pages`` by row, of pages of text.
    """

    values: Mapping[str, Values]
    digests: NDArray[np.uint64]
    hashes: NDArray[np.uint8]
    hashed: NDArray[np.bool_]
    pages: Mapping[int, bytes] = dataclasses.field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.digests)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """For each picture ``KEPT``, the number of the violated rule, ``EXACT`` or ``NEAR``.

    ``kept`` is the row of the picture that a duplicate copies, its own otherwise; ``distance`` in bits.
    ``rules`` have resolved limits; ``without`` counts the pictures without a value for a rule.
    """

    rules: tuple[Rule, ...]
    reasons: NDArray[np.int16]
    kept: NDArray[np.int64]
    distance: NDArray[np.uint16]
    without: Mapping[str, int]

    def rule(self, row: int) -> str:
        """The name under which a rejected picture is counted."""
        reason = int(self.reasons[row])
        if reason >= 0:
            return str(self.rules[reason])
        return {EXACT: "exact duplicate", NEAR: "near duplicate"}[reason]

    def counts(self) -> dict[str, int]:
        """Rejected pictures by rule, in the order of the rules."""
        names = [*((number, str(rule)) for number, rule in enumerate(self.rules))]
        names += [(EXACT, "exact duplicate"), (NEAR, "near duplicate")]
        counted = ((name, int((self.reasons == number).sum())) for number, name in names)
        return {name: count for name, count in counted if count}


def decide(
    rules: PictureRules, measured: Measured, rejected: Mapping[str, Values] | None = None
) -> Decisions:
    """Apply the rules in order, then find duplicates among the remaining pictures.

    Of duplicates the largest is kept, then the sharpest, then the first. ``rejected`` are values of pictures
    rejected by earlier calls; shares such as p2 include them.
    """
    gone = rejected or {}
    limited = [
        rule.with_limit(np.concatenate([measured.values[rule.name], gone.get(rule.name, _NONE)]))
        for rule in rules.rules
    ]
    reasons = np.full(len(measured), KEPT, dtype=np.int16)
    without = {}
    for number, rule in enumerate(limited):
        values = measured.values[rule.name]
        reasons[(reasons == KEPT) & rule.rejects(values)] = number
        if missing := int(np.isnan(values).sum()):
            without[rule.name] = missing
    kept, distance = np.arange(len(measured)), np.zeros(len(measured), dtype=np.uint16)
    if rules.dedup:
        _reject_duplicates(measured, reasons, kept, distance, near=rules.dedup == "near")
    return Decisions(rules=tuple(limited), reasons=reasons, kept=kept, distance=distance, without=without)


def refuse_nothing_left(decisions: Decisions) -> None:
    """Raise ConfigError if all pictures are rejected."""
    if len(decisions.reasons) and not (decisions.reasons == KEPT).any():
        counts = ", ".join(f"{count:,} by {rule}" for rule, count in decisions.counts().items())
        raise ConfigError(f"no picture is left, {counts}: loosen the rules of --keep")


def _reject_duplicates(
    measured: Measured,
    reasons: NDArray[np.int16],
    kept: NDArray[np.int64],
    distance: NDArray[np.uint16],
    *,
    near: bool,
) -> None:
    rows = np.flatnonzero(reasons == KEPT)
    size = measured.values["pixels"][rows]
    sharp = measured.values.get("sharpness")
    sharp = np.zeros(len(rows)) if sharp is None else np.nan_to_num(sharp[rows], nan=-1)
    rows = rows[np.lexsort((rows, -sharp, -size))]  # the best first
    leaders = _first_of_equal(measured.digests[rows])
    copies = leaders != np.arange(len(rows))
    reasons[rows[copies]], kept[rows[copies]] = EXACT, rows[leaders[copies]]
    if not near:
        return
    rows = rows[~copies]
    rows = rows[measured.hashed[rows]]
    pages = Pages.of([measured.pages.get(row) for row in rows.tolist()] if measured.pages else ())
    leaders = _first_of_equal(np.column_stack([measured.hashes[rows].view(np.uint64), *pages.digests]))
    copies = leaders != np.arange(len(rows))
    reasons[rows[copies]], kept[rows[copies]] = NEAR, rows[leaders[copies]]
    rows = rows[~copies]
    found = nearest_kept(measured.hashes[rows], pages=pages.at(~copies))
    like = found.kept != np.arange(len(rows))
    reasons[rows[like]], distance[rows[like]] = NEAR, found.distance[like]
    kept[rows[like]] = rows[found.kept[like]]
    # Copies of what is rejected are like the picture that is kept for it, and as far from it.
    for kind in (NEAR, EXACT):
        moved = np.flatnonzero((reasons == kind) & (kept[kept] != kept))
        leader = kept[moved]
        kept[moved], distance[moved], reasons[moved] = kept[leader], distance[leader], NEAR


def _first_of_equal(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """For each row the first equal row, by a 64-bit hash of its words."""
    mixed = np.zeros(len(words), dtype=np.uint64)
    for column in range(words.shape[1]):
        mixed = (mixed ^ words[:, column]) * _FACTOR
        mixed ^= mixed >> np.uint64(29)
    _, first, groups = np.unique(mixed, return_index=True, return_inverse=True)
    leaders: NDArray[np.int64] = first[groups]
    return leaders
