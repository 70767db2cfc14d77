"""Count people's picks among caption sets, and determine the winner."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Final

_Z: Final = 1.96  # of the normal distribution, for 95 %


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How often a set was picked. ``low`` to ``high``: the 95 % interval of its share."""

    name: str
    picked: int
    share: float
    low: float
    high: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The picks so far of ``rows`` pictures; ``none``: no caption was good.

    ``winner``: the set picked significantly more often than the next one (95 %); empty if none is.
    """

    rows: int
    none: int
    standings: tuple[Standing, ...]
    winner: str

    @property
    def picked(self) -> int:
        return self.none + sum(each.picked for each in self.standings)

    @property
    def verdict(self) -> str:
        first, second = self.standings[:2]
        if self.winner:
            return f"{first.name} wins, {first.picked} to {second.picked} over {second.name}"
        if first.picked == second.picked:
            return f"no winner: {first.picked} each"
        return (
            f"{first.name} leads {first.picked} to {second.picked} over {second.name}, which can be chance: "
            "pick more"
        )


def tally(names: Sequence[str], picks: Mapping[str, str], rows: int) -> Tally:
    """Count ``picks``, the names of the picked sets by key; empty if none was good."""
    counts = {name: sum(pick == name for pick in picks.values()) for name in names}
    total = sum(counts.values())
    ranked = sorted(names, key=lambda name: -counts[name])
    first, second = (counts[name] for name in ranked[:2])
    standings = []
    for name in ranked:
        low, high = wilson(counts[name], total)
        share = counts[name] / total if total else 0.0
        standings.append(Standing(name=name, picked=counts[name], share=share, low=low, high=high))
    wins = wilson(first, first + second)[0] > 0.5
    return Tally(
        rows=rows,
        none=sum(not pick for pick in picks.values()),
        standings=tuple(standings),
        winner=ranked[0] if wins else "",
    )


def wilson(count: int, total: int) -> tuple[float, float]:
    """The 95 % confidence interval of a share, by Wilson; from 0 to 1 where there is nothing.

    https://en.wikipedia.org/wiki/Binomial_proportion_confidence_interval#Wilson_score_interval
    """
    if not total:
        return 0.0, 1.0
    share, square = count / total, _Z * _Z / total
    middle = (share + square / 2) / (1 + square)
    half = _Z / (1 + square) * math.sqrt(share * (1 - share) / total + square / total / 4)
    return max(0.0, middle - half), min(1.0, middle + half)
