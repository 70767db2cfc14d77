"""Slots for pictures while the budget of a run lasts."""

from __future__ import annotations

import asyncio

from cutline.engine.prices import Prices
from cutline.engine.stats import RunStats
from cutline.errors import BudgetSpent, RunStopped
from cutline.job import Job

MAX_WITHOUT_USAGE = 10  # captions without token counts after which none are expected


def has_budget(job: Job) -> bool:
    """Whether a job limits tokens or money."""
    return job.run.budget_tokens is not None or job.run.max_cost is not None


class Budget:
    """Slots for pictures while a budget of tokens or US dollars lasts, of which either may be None.

    Near its end fewer pictures are under way: each counts with the mean of those that have ended, so that
    the budget is used, and passed by about one picture.
    """

    def __init__(
        self, tokens: int | None, max_cost: float | None, *, prices: Prices, stats: RunStats
    ) -> None:
        self._tokens = tokens
        self._max_cost = max_cost
        self._prices = prices
        self._stats = stats
        self._ended = asyncio.Event()
        self._halted = False
        self.taken = 0

    async def take(self) -> None:
        """Wait for a slot.

        Raises:
            BudgetSpent: there will be none any more.
            RunStopped: the run was stopped.
        """
        while self._tokens is not None or self._max_cost is not None:
            if self._halted:
                raise RunStopped("stopped")
            share = self._share_used()
            if share >= 1:
                raise BudgetSpent(f"the budget of {self._used_up()}; raise it and run the same command")
            self._check_usage()
            # The mean is too high while chains are half done, which only delays.
            if not self.taken or share * (1 + (self.taken + 1) / max(self._stats.paid, 1)) < 1:
                break
            self._ended.clear()
            await self._ended.wait()
        self.taken += 1

    def check(self) -> None:
        """Raise BudgetSpent where a picture that has its slot may make no other request."""
        if (self._tokens is not None or self._max_cost is not None) and self._share_used() >= 1:
            raise BudgetSpent(f"the budget of {self._used_up()}; raise it and run the same command")

    def leave(self) -> None:
        self.taken -= 1
        self._ended.set()

    def halt(self) -> None:
        """Give no slot any more."""
        self._halted = True
        self._ended.set()

    def _share_used(self) -> float:
        """The spent share of the budget; of two budgets the larger share."""
        spent, shares = self._stats.spent, [0.0]
        if self._tokens is not None:
            shares.append(spent.usage.total / self._tokens)
        if self._max_cost is not None:
            shares.append((self._prices.of(spent) or 0.0) / self._max_cost)
        return max(shares)

    def _used_up(self) -> str:
        if self._tokens is not None and self._stats.spent.usage.total >= self._tokens:
            return f"{self._tokens:,} tokens is used up"
        return f"${self._max_cost:g} is used up"

    def _check_usage(self) -> None:
        without = self._stats.captions_without_usage
        if without >= MAX_WITHOUT_USAGE and self._tokens is not None and not self._stats.spent.usage.total:
            raise BudgetSpent(
                f"none of the first {without} replies has token counts, so --budget-tokens cannot be kept; "
                "remove it, or set --image-limit"
            )
