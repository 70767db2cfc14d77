"""What a run may still spend."""

from __future__ import annotations

import dataclasses

from cutline.engine.pricing import Price
from cutline.errors import BudgetSpent
from cutline.records import Usage


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What ends a run before its input does: tokens, US dollars, failures at the model in a row."""

    budget_tokens: int | None = None
    max_cost: float | None = None
    price: Price | None = None
    stop_after_failures: int = 0


class Budget:
    """Says when to stop asking; ``spent`` and ``paid`` are tokens and outcomes of earlier runs.

    Requests under way count with the mean of those that have ended, so that the budget is passed
    by about one request, not by as many as are under way.
    """

    def __init__(self, limits: RunLimits, *, spent: Usage, paid: int) -> None:
        self._limits = limits
        self.spent = spent
        self._paid = paid

    def add(self, usage: Usage) -> None:
        if usage.total:
            self.spent += usage
            self._paid += 1

    def check(self, under_way: int) -> None:
        """Call before asking about one more picture.

        Raises:
            BudgetSpent: nothing more may be asked.
        """
        limits = self._limits
        share = 1 + under_way / max(self._paid, 1)
        if limits.budget_tokens is not None and self.spent.total * share >= limits.budget_tokens:
            raise BudgetSpent(f"the budget of {limits.budget_tokens:,} tokens is used up; raise it to go on")
        if limits.max_cost is None or limits.price is None:
            return
        if limits.price.of(self.spent) * share >= limits.max_cost:
            raise BudgetSpent(f"the budget of ${limits.max_cost:g} is used up; raise it to go on")
