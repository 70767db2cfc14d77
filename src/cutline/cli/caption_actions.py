"""What a person may want to see of a job before it runs, and how much is said while it does."""

from __future__ import annotations

import dataclasses
from typing import Annotated  # noqa: F401 - the type of an inherited field is looked up here

from cyclopts import Parameter  # noqa: F401 - as above

from cutline.cli.common_options import Saying
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.job import Job


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Before(Saying):
    """What to do instead of, or besides, running."""

    preview: int | None = None
    """Show the captions of the first N pictures and stop; writes nothing."""
    estimate: bool = False
    """Ask about a few pictures, tell time, tokens and money of the whole run, and stop."""

    def check(self, *, save_job: str | None = None) -> None:
        """Refuse wishes that exclude each other.

        Raises:
            ConfigError: names them.
        """
        Saying.check(self)
        wishes = {
            "--preview": self.preview is not None,
            "--estimate": self.estimate,
            "--save-job": save_job is not None,
        }
        said = [name for name, wished in wishes.items() if wished]
        if len(said) > 1:
            raise ConfigError(f"{' and '.join(said)} exclude each other: give one of them")


def carry_out(job: Job, key: Secret | None, before: Before) -> int:
    """Preview, estimate or run the job; returns the exit code."""
    if before.preview is not None or before.estimate:
        from cutline.cli.preview import estimate, preview

        return estimate(job, key) if before.preview is None else preview(job, key, before.preview)
    from cutline.cli.execute import execute

    return execute(job, key=key, saying=before)
