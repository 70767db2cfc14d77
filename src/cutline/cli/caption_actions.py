"""What a command does with a job: preview it, estimate its cost, or run it."""

from __future__ import annotations

import dataclasses
from typing import Annotated  # noqa: F401 - the type of an inherited field is looked up here

from cyclopts import Parameter  # noqa: F401 - as above

from cutline.cli.common_options import Verbosity
from cutline.credentials import Secret
from cutline.errors import ConfigError
from cutline.job import Job


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ActionOptions(Verbosity):
    """Actions instead of running the job."""

    preview: int | None = None
    """Show the captions of the first N pictures and stop; writes nothing."""
    estimate: bool = False
    """Caption a few pictures, print time, tokens and money of the whole run, and stop."""

    def check(self, *, save_job: str | None = None) -> None:
        """Refuse actions that exclude each other.

        Raises:
            ConfigError: names them.
        """
        Verbosity.check(self)
        actions = {
            "--preview": self.preview is not None,
            "--estimate": self.estimate,
            "--save-job": save_job is not None,
        }
        given = [name for name, is_given in actions.items() if is_given]
        if len(given) > 1:
            raise ConfigError(f"{' and '.join(given)} exclude each other: give one of them")


def run_action(job: Job, key: Secret | None, options: ActionOptions) -> int:
    """Preview, estimate or run the job; returns the exit code."""
    if options.preview is not None or options.estimate:
        from cutline.cli.preview import estimate, preview

        return estimate(job, key) if options.preview is None else preview(job, key, options.preview)
    from cutline.cli.execute import execute

    return execute(job, key=key, verbosity=options)
