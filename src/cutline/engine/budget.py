"""What a run may still spend."""

from __future__ import annotations

import dataclasses

from cutline.engine.pricing import Prices, Spending
from cutline.errors import BudgetSpent
from cutline.records import Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What ends a run before its input does: tokens, US dollars, failures at the model in a row."""

    budget_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    stop_after_failures: int = 0


class Budget:
    """Says when to stop asking; ``spent`` and ``paid`` are tokens and outcomes of earlier runs.

    Requests under way count with the mean of those that have ended, so that the budget is passed
    by about one request, not by as many as are under way.
    """

    def __init__(self, limits: RunLimits, *, spent: Spending, paid: int) -> None:
        self._limits = limits
        self.spent = spent
        self._paid = paid

    def add(self, captioner: str, usage: Usage) -> None:
        self.spent.add(captioner, usage)

    def outcome_paid(self) -> None:
        """Count one more outcome that cost something."""
        self._paid += 1

    def check(self, under_way: int) -> None:
        """Call before asking about one more picture.

        Raises:
            BudgetSpent: nothing more may be asked.
        """
        limits = self._limits
        share = 1 + under_way / max(self._paid, 1)
        if limits.budget_tokens is not None and self.spent.usage.total * share >= limits.budget_tokens:
            raise BudgetSpent(f"the budget of {limits.budget_tokens:,} tokens is used up; raise it to go on")
        if limits.max_cost is None or limits.prices is None:
            return
        if (limits.prices.of(self.spent) or 0.0) * share >= limits.max_cost:
            raise BudgetSpent(f"the budget of ${limits.max_cost:g} is used up; raise it to go on")
