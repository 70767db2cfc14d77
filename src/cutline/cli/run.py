"""``cutline run``: a job from its file."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from cutline.cli.caption_actions import Before, carry_out
from cutline.cli.service_key import ServiceKey
from cutline.job import Job, OnChange


def run(
    job_file: Path,
    /,
    *,
    service: Annotated[ServiceKey, Parameter(name="*")] = ServiceKey(),  # noqa: B008 - frozen
    on_change: OnChange | None = None,
    retry_failed: bool = False,
    plugin: tuple[str, ...] = (),
    before: Annotated[Before, Parameter(name="*")] = Before(),  # noqa: B008 - frozen
) -> int:
    """Run a job file, as `cutline caption --save-job` writes it.

    Parameters
    ----------
    job_file
        TOML file.
    on_change
        What happens to earlier captions when model, prompt or parameters have changed.
    retry_failed
        Ask again about the pictures that failed before.
    plugin
        Python file with models of your own, besides those that the job file names.
    """
    before.check()
    job = Job.from_toml(job_file)
    options = job.run
    if on_change is not None:
        options = dataclasses.replace(options, on_change=on_change)
    if retry_failed:
        options = dataclasses.replace(options, retry_failed=True)
    model = dataclasses.replace(job.model, plugin=(*job.model.plugin, *plugin))
    return carry_out(dataclasses.replace(job, model=model, run=options), service.key, before)


def place_of(option: str) -> str:
    """How a job file says what ``--option`` would; empty where it cannot."""
    name = option.partition("=")[0].lstrip("-").replace("-", "_")
    for field in dataclasses.fields(Job):
        if field.name == name:
            return f"`{name} = …`"
        group: Any = field.default_factory
        if dataclasses.is_dataclass(group) and name in {one.name for one in dataclasses.fields(group)}:
            return f"`{name} = …` under [{field.name}]"
    return ""
