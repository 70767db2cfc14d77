"""Batch APIs from Python: the same as ``cutline batch`` on the command line."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, Unpack

from cutline.call_options import CallOptions, PromptInput, job_data, model_name, waited_for
from cutline.captions import named_report
from cutline.credentials import given_key
from cutline.display import progress_hook
from cutline.engine.batches.collect import Collection, collect_job
from cutline.engine.batches.requests import MAX_FILE_BYTES, MAX_FILE_REQUESTS, FileLimits
from cutline.engine.batches.status import BatchStatus, cancel, current_status, saved_status
from cutline.engine.batches.submit import Submission, submit_job
from cutline.engine.progress import ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.keyword_names import keyword_names, named_in

_T = TypeVar("_T")


@keyword_names()
def batch_submit(
    source: str | Path,
    output: str | Path,
    *,
    model: str,
    prompt: PromptInput = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    max_file_requests: int = MAX_FILE_REQUESTS,
    max_file_bytes: int = MAX_FILE_BYTES,
    **options: Unpack[CallOptions],
) -> Submission:
    """Send pictures to the service's batch API: replies within a day, at half the price.

    The same call, after any death, sends what is missing and nothing twice.

    Args:
        source: a path as the command line takes it; it is read again when the replies are collected.
        output: file or folder that ``batch_collect`` is to write.
        model: ``provider:name`` of a service that has a batch API.
        prompt: as for ``caption``.
        api_key: as for ``caption``.
        progress: as for ``caption``.
        max_file_requests: maximum number of requests in one file.
        max_file_bytes: maximum size of one file.
        **options: see ``CallOptions``.

    Raises:
        ConfigError: this cannot be a batch; the message names the cure.
        EndpointUnusable, RequestError: the service rejects it.
    """
    if not isinstance(source, str | Path):
        raise ConfigError("a batch needs an input that can be read again later: give a path, not pictures")
    data = job_data(options, call="batch_submit()", prompt=prompt)
    data |= {"input_path": str(source), "output_path": str(output)}
    data["model"]["model"] = model_name(model)
    job = Job.from_dict(data, origin="batch_submit()")
    limits = FileLimits(max_file_requests=max_file_requests, max_file_bytes=max_file_bytes)
    sent = _shown(
        lambda show: submit_job(job, limits=limits, key=given_key(api_key), progress=show), progress=progress
    )
    return named_in(sent, "stopped")


@keyword_names()
def batch_status(output: str | Path, *, state: str | None = None, api_key: str | None = None) -> BatchStatus:
    """The state of an output's batches at the service.

    Raises:
        ConfigError: none were sent for it.
        EndpointUnusable, RequestError: the service cannot be reached.
    """
    status = saved_status(str(output), state)
    return waited_for(lambda: current_status(status, key=given_key(api_key)))


@keyword_names()
def batch_collect(
    output: str | Path,
    *,
    wait: bool = False,
    keep_files: bool = False,
    state: str | None = None,
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
) -> Collection:
    """Write the available replies to the output; with ``wait``, wait for all of them.

    The files at the service are deleted once their content is kept here, unless ``keep_files``.

    Raises:
        ConfigError: none were sent for it, or its prompt has changed since.
        EndpointUnusable, RequestError: the service cannot be reached.
        SinkError: the output cannot be written; call again to continue.
    """
    found = _shown(
        lambda show: collect_job(
            str(output),
            state=state,
            key=given_key(api_key),
            until_all=wait,
            keep_files=keep_files,
            progress=show,
        ),
        progress=progress,
    )
    return found if found.report is None else dataclasses.replace(found, report=named_report(found.report))


@keyword_names()
def batch_cancel(
    output: str | Path, *, forget: bool = False, state: str | None = None, api_key: str | None = None
) -> BatchStatus:
    """Cancel the batches of an output; replies until then can be collected, unless ``forget``.

    Raises:
        ConfigError, EndpointUnusable, RequestError: as ``batch_status``.
    """
    return waited_for(lambda: cancel(str(output), state=state, key=given_key(api_key), forget=forget))


def _shown(work: Callable[[ProgressHook], Coroutine[Any, Any, _T]], *, progress: bool | ProgressHook) -> _T:
    with progress_hook(progress) as show:
        return waited_for(lambda: work(show))
