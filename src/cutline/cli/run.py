"""``cutline run``: a job from its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from cutline.errors import ConfigError
from cutline.job import Job, OnChange


def run(
    job_file: Path,
    /,
    *,
    api_key: str | None = None,
    on_change: OnChange | None = None,
    retry_failed: bool = False,
    verbose: Annotated[bool, Parameter(alias="-v")] = False,
    quiet: Annotated[bool, Parameter(alias="-q")] = False,
) -> int:
    """Run a job file, as `cutline caption --save-job` writes it.

    Parameters
    ----------
    job_file
        TOML file.
    api_key
        Key of the service; better set in its environment variable.
    on_change
        What happens to earlier captions when model, prompt or parameters have changed.
    retry_failed
        Ask again about the pictures that failed before.
    verbose
        Say what happens to every picture and request.
    quiet
        No progress and no summary; errors only.
    """
    if verbose and quiet:
        raise ConfigError("--verbose and --quiet exclude each other: give one of them")
    job = Job.from_toml(job_file)
    options = job.run
    if on_change is not None:
        options = dataclasses.replace(options, on_change=on_change)
    if retry_failed:
        options = dataclasses.replace(options, retry_failed=True)
    job = dataclasses.replace(job, run=options)
    from cutline.cli.execute import Shown, execute

    return execute(job, api_key=api_key, shown=Shown(verbose=verbose, quiet=quiet))
