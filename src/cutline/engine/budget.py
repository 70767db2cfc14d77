"""What a run may still spend."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable

from cutline.engine.prices import Prices, Spending
from cutline.errors import BudgetSpent
from cutline.records import Usage

UNCOUNTED = 10  # captions without a token, after which none is expected any more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What ends a run before its input does: tokens, US dollars, failures at the model in a row."""

    budget_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None
    stop_after_failures: int = 0


class Budget:
    """Says when to stop asking; ``spent`` and ``paid`` are tokens and outcomes of earlier runs.

    Near its end fewer pictures are asked about at once: those under way count with the mean of those
    that have ended, so that the budget is used, and passed by about one picture.
    """

    def __init__(self, limits: RunLimits, *, spent: Spending, paid: int) -> None:
        self._limits = limits
        self.spent = spent
        self._paid = paid
        self._uncounted = 0
        self._ended = asyncio.Event()

    def add(self, captioner: str, usage: Usage) -> None:
        self.spent.add(captioner, usage)

    def outcome_paid(self) -> None:
        """Count one more outcome that cost something."""
        self._paid += 1

    def caption_uncounted(self) -> None:
        """Count one more caption of which is not known what it cost."""
        self._uncounted += 1

    def wake(self) -> None:
        """A picture is under way no more."""
        self._ended.set()

    async def permit(self, under_way: Callable[[], int]) -> None:
        """Return when one more picture may be asked about; ``under_way`` tells how many are.

        Raises:
            BudgetSpent: nothing more may be asked.
        """
        while self._is_limited:
            share = self._share_used()
            if share >= 1:
                raise BudgetSpent(f"the budget of {self._told()}; the same command with a higher one goes on")
            self._check_counted()
            busy = under_way()
            # The mean is too high while pictures of several steps are half done: then it waits, no more.
            if not busy or share * (1 + (busy + 1) / max(self._paid, 1)) < 1:
                return
            self._ended.clear()
            await self._ended.wait()

    @property
    def _is_limited(self) -> bool:
        return self._limits.budget_tokens is not None or self._limits.max_cost is not None

    def _share_used(self) -> float:
        """The part of the budget that is spent; of two budgets the larger part."""
        limits, shares = self._limits, [0.0]
        if limits.budget_tokens is not None:
            shares.append(self.spent.usage.total / limits.budget_tokens)
        if limits.max_cost is not None and limits.prices is not None:
            shares.append((limits.prices.of(self.spent) or 0.0) / limits.max_cost)
        return max(shares)

    def _told(self) -> str:
        limits, tokens = self._limits, self.spent.usage.total
        if limits.budget_tokens is not None and tokens >= limits.budget_tokens:
            return f"{limits.budget_tokens:,} tokens is used up"
        return f"${limits.max_cost:g} is used up"

    def _check_counted(self) -> None:
        unknown = self._uncounted >= UNCOUNTED and not self.spent.usage.total
        if unknown and self._limits.budget_tokens is not None:
            raise BudgetSpent(
                f"none of the first {self._uncounted} answers says how many tokens it took, so "
                "--budget-tokens cannot be kept: leave it out, or set --image-limit"
            )
