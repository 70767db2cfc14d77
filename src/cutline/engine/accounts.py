"""What a run makes and costs, and when that ends it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from cutline.engine.budget import Budget, RunLimits
from cutline.engine.cancellation import Stop
from cutline.engine.journal import Journal
from cutline.engine.prices import Spending
from cutline.engine.progress import Counts, usages_of
from cutline.errors import ManyFailed
from cutline.records import Caption, Failure, Outcome, Step, Usage


class Accounts:
    """Keeps the sums that may end the run; ``models`` are the steps' captioners' names by the steps' own."""

    def __init__(self, *, journal: Journal, models: Mapping[str, str], limits: RunLimits, stop: Stop) -> None:
        self._budget = Budget(limits, spent=journal.spent, paid=journal.paid)
        self._models = models
        self._stop_after = limits.stop_after_failures
        self._stop = stop
        self._failed_in_a_row = 0
        self.fresh = Counts()

    @property
    def spent(self) -> Spending:
        """By this run and the earlier ones for its output."""
        return self._budget.spent

    async def permit(self, under_way: Callable[[], int]) -> None:
        """Return when one more picture may be asked about; raises BudgetSpent where none may."""
        await self._budget.permit(under_way)

    def wake(self) -> None:
        """A picture is under way no more, whatever came of it."""
        self._budget.wake()

    def add_step(self, step: Step) -> None:
        """Count an answer that is known before its picture's outcome is."""
        self.fresh.usage += step.reply.usage
        self._budget.add(self._models[step.name], step.reply.usage)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome of this run."""
        self.fresh.add(outcome)
        usages = list(usages_of(outcome))
        for name, usage in usages:
            self._budget.add(self._models[name], usage)
        if sum((usage for _, usage in usages), Usage()).total:
            self._budget.outcome_paid()
        elif isinstance(outcome, Caption):
            self._budget.caption_uncounted()
        if isinstance(outcome, Caption):
            self._failed_in_a_row = 0
        elif isinstance(outcome, Failure) and outcome.attempts:
            self._failed_in_a_row += 1
            if 0 < self._stop_after <= self._failed_in_a_row:
                self._stop.request(
                    ManyFailed(
                        f"{self._failed_in_a_row} pictures in a row failed at the model, the last with: "
                        f"{outcome.message}; mend that, then run the same command with --retry-failed"
                    )
                )
