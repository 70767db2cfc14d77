"""``cutline run``: run a job file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

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
    plugin
        Python file with models of your own, in addition to those in the job file.
    """
    actions.check()
    job = Job.from_toml(job_file)
    options = job.run
    if on_change is not None:
        options = dataclasses.replace(options, on_change=on_change)
    if retry_failed:
        options = dataclasses.replace(options, retry_failed=True)
    if recheck:
        options = dataclasses.replace(options, recheck=True)
    model = dataclasses.replace(job.model, plugin=(*job.model.plugin, *plugin))
    from cutline.cli.execute import run_action

    return run_action(dataclasses.replace(job, model=model, run=options), service.key, actions)
