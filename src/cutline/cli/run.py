"""``cutline run``: run a job file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cutline.cli.common_options import ActionOptions, ServiceKey
from cutline.job import Job
from cutline.options import OnChange


def run(
    job_file: Path,
    /,
    *,
    service: Annotated[ServiceKey, Parameter(name="*")] = ServiceKey(),  # noqa: B008 - frozen
    on_change: OnChange | None = None,
    retry_failed: bool = False,
    recheck: bool = False,
    budget_tokens: int | None = None,
    max_cost: float | None = None,
    plugin: tuple[str, ...] = (),
    actions: Annotated[ActionOptions, Parameter(name="*")] = ActionOptions(),  # noqa: B008 - frozen
) -> int:
    """Run a job file, as `cutline caption --save-job` writes it.

    Parameters
    ----------
    job_file
        TOML file.
    on_change
        What happens to earlier captions when model, prompt or parameters have changed.
    retry_failed
        Caption the pictures again that failed before.
    recheck
        Check with servers that pictures behind URLs are still those captioned.
    budget_tokens
        Stop when requests have used so many tokens, in place of the job file's number.
    max_cost
        Stop when requests have cost so many dollars, in place of the job file's number.
    plugin
        Python file with models of your own, in addition to those in the job file.
    """
    actions.check()
    job = Job.from_toml(job_file)
    given: dict[str, Any] = {
        "on_change": on_change,
        "retry_failed": retry_failed or None,
        "recheck": recheck or None,
        "budget_tokens": budget_tokens,
        "max_cost": max_cost,
    }
    options = dataclasses.replace(
        job.run, **{name: value for name, value in given.items() if value is not None}
    )
    model = dataclasses.replace(job.model, plugin=(*job.model.plugin, *plugin))
    from cutline.cli.execute import run_action

    return run_action(dataclasses.replace(job, model=model, run=options), service.key, actions)
