"""Where a job keeps its state, so that its output folder reads as one table."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from cutline.engine.state import failures_file, passed_over, state_folder
from cutline.job import Job
from cutline.storage import is_remote


def beside_captions(job: Job, output: str) -> tuple[Job, Path | None]:
    """Name the job's state and list of failures so that its output folder still reads as one table.

    Remote outputs, and jobs begun under the usual names, stay as they are.
    """
    if is_remote(output):
        return job, None
    state = state_folder(output, None)
    failures = failures_file(output, state)
    if not state.exists():
        state = passed_over(state)
        failures = failures if failures.exists() else passed_over(failures)
    chosen = job.run.state or str(state)
    return dataclasses.replace(job, run=dataclasses.replace(job.run, state=chosen)), failures
