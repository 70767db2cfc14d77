"""Slots for pictures while the budget of a run lasts."""

from __future__ import annotations

import asyncio
import dataclasses

from cutline.engine.prices import Prices
from cutline.engine.stats import RunStats
from cutline.errors import BudgetSpent, RunStopped

MAX_WITHOUT_USAGE = 10  # captions without token counts, after which none are expected


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What may end a run before its input does: tokens, and US dollars at these prices."""

    budget_tokens: int | None = None
    max_cost: float | None = None
    prices: Prices | None = None


class Budget:
    """Slots for pictures while the budget lasts; see ``Slots``.

    Near its end fewer pictures are under way: each counts with the mean of those that have ended, so that
    the budget is used, and passed by about one picture.
    """

    def __init__(self, limits: RunLimits, stats: RunStats) -> None:
        self._limits = limits
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
        while self._is_limited:
            if self._halted:
                raise RunStopped("stopped")
            share = self._share_used()
            if share >= 1:
                raise BudgetSpent(
                    f"the budget of {self._used_up()}; raise it and run the same command to go on"
                )
            self._check_usage()
            # The mean is too high while pictures of several steps are half done: then it waits, no more.
            if not self.taken or share * (1 + (self.taken + 1) / max(self._stats.paid, 1)) < 1:
                break
            self._ended.clear()
            await self._ended.wait()
        self.taken += 1

    def leave(self) -> None:
        self.taken -= 1
        self._ended.set()

    def halt(self) -> None:
        """Give no slot any more."""
        self._halted = True
        self._ended.set()

    @property
    def _is_limited(self) -> bool:
        return self._limits.budget_tokens is not None or self._limits.max_cost is not None

    def _share_used(self) -> float:
        """The spent share of the budget; of two budgets the larger share."""
        limits, shares = self._limits, [0.0]
        if limits.budget_tokens is not None:
            shares.append(self._stats.spent.usage.total / limits.budget_tokens)
        if limits.max_cost is not None and limits.prices is not None:
            shares.append((limits.prices.of(self._stats.spent) or 0.0) / limits.max_cost)
        return max(shares)

    def _used_up(self) -> str:
        limits, tokens = self._limits, self._stats.spent.usage.total
        if limits.budget_tokens is not None and tokens >= limits.budget_tokens:
            return f"{limits.budget_tokens:,} tokens is used up"
        return f"${limits.max_cost:g} is used up"

    def _check_usage(self) -> None:
        unknown = (
            self._stats.captions_without_usage >= MAX_WITHOUT_USAGE and not self._stats.spent.usage.total
        )
        if unknown and self._limits.budget_tokens is not None:
            raise BudgetSpent(
                f"none of the first {self._stats.captions_without_usage} replies has token counts, so "
                "--budget-tokens cannot be kept; remove it, or set --image-limit"
            )
