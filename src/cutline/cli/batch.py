"""``cutline batch``: send pictures to a service's batch API and collect its responses."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import cyclopts
from cyclopts import Parameter

from cutline.cli import batch_messages as messages
from cutline.cli.caption import CaptionGroups, Service, option_group, with_service, without
from cutline.cli.common_options import ServiceKey, Verbosity
from cutline.cli.execute import run_displayed
from cutline.engine.batches.requests import FileLimits
from cutline.engine.cancellation import Stop
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Interrupted
from cutline.terminal import print_error

_T = TypeVar("_T")

app = cyclopts.App(name="batch", help="Caption pictures within a day, at half the price.", version_flags=())


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SubmitOptions(Verbosity):
    estimate: bool = False
    """Caption a few pictures, print tokens and money of the whole, and stop; sends no batch."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchState(ServiceKey):
    """Where the batches are recorded, and the service's key."""

    state: str | None = None
    """Folder of the journal, if one was given when the batches were sent."""


@app.command
def submit(
    input_path: str,
    output_path: Annotated[str | None, Parameter(alias="-o")] = None,
    *,
    options: Annotated[SubmitOptions, option_group("Before and during")] = SubmitOptions(),
    groups: Annotated[CaptionGroups, Parameter(name="*", parse=without("server"))] = CaptionGroups(),  # noqa: B008 - frozen
    service: Annotated[Service, option_group("Model")] = Service(),  # noqa: B008 - frozen
    files: Annotated[FileLimits, option_group("Run")] = FileLimits(),  # noqa: B008 - frozen
) -> int:
    """Send pictures to the service's batch API: captions within a day, at half the price.

    Run the same command again after an interruption: it sends what is missing and nothing twice.

    Parameters
    ----------
    input_path
        As for `cutline caption`.
    output_path
        As for `cutline caption`; nothing is written there before `cutline batch collect`.
    """
    options.check()
    job = with_service(groups.job(input_path, output_path), service)
    key = service.key
    if options.estimate:
        from cutline.cli.preview import estimate
        from cutline.engine.batches.parts import check_job

        check_job(job, key)
        return estimate(job, key, in_batches=True)
    from cutline.engine.batches.submit import submit_job

    return _execute(
        lambda progress, stop: submit_job(job, limits=files, key=key, progress=progress, stop=stop),
        lambda result: messages.submitted(job, result, quiet=options.quiet),
        options,
    )


OutputPath = Annotated[str, Parameter(help="The output given when the batches were sent.")]


@app.command
def status(
    output_path: OutputPath,
    *,
    recorded: Annotated[BatchState, Parameter(name="*")] = BatchState(),
    verbosity: Annotated[Verbosity, Parameter(name="*")] = Verbosity(),  # noqa: B008 - frozen
) -> int:
    """Show how far the service is with the batches of an output."""
    from cutline.engine.batches.status import current_status, saved_status

    saved = saved_status(output_path, recorded.state)
    return _execute(
        lambda progress, stop: current_status(saved, key=recorded.key, progress=progress, stop=stop),
        lambda now: messages.status(now, quiet=verbosity.quiet),
        verbosity,
    )


@app.command
def collect(
    output_path: OutputPath,
    *,
    wait: bool = False,
    keep_files: bool = False,
    recorded: Annotated[BatchState, Parameter(name="*")] = BatchState(),
    verbosity: Annotated[Verbosity, Parameter(name="*")] = Verbosity(),  # noqa: B008 - frozen
) -> int:
    """Write the responses that have arrived to the output, through the same journal as an ordinary run.

    Parameters
    ----------
    wait
        Wait until every batch has ended.
    keep_files
        Keep the files of collected batches at the service.
    """
    from cutline.engine.batches.collect import collect_job

    return _execute(
        lambda progress, stop: collect_job(
            output_path,
            state=recorded.state,
            key=recorded.key,
            until_all=wait,
            keep_files=keep_files,
            progress=progress,
            stop=stop,
        ),
        lambda result: messages.collected(result, quiet=verbosity.quiet),
        verbosity,
    )


@app.command
def cancel(
    output_path: OutputPath,
    *,
    forget: bool = False,
    recorded: Annotated[BatchState, Parameter(name="*")] = BatchState(),
    verbosity: Annotated[Verbosity, Parameter(name="*")] = Verbosity(),  # noqa: B008 - frozen
) -> int:
    """Cancel the batches of an output; captions made until then can still be collected.

    Parameters
    ----------
    forget
        Discard those captions too, so that all the pictures can be captioned again.
    """
    from cutline.engine.batches.status import cancel as end

    return _execute(
        lambda progress, stop: end(
            output_path, state=recorded.state, key=recorded.key, forget=forget, progress=progress, stop=stop
        ),
        lambda status: messages.cancelled(status, forgotten=forget, quiet=verbosity.quiet),
        verbosity,
    )


def _execute(
    work: Callable[[ProgressHook, Stop], Coroutine[Any, Any, _T]],
    report: Callable[[_T], int],
    verbosity: Verbosity,
) -> int:
    """Run ``work`` with progress and signal handling, and report its result; returns the exit code."""
    verbosity.check()
    try:
        result = run_displayed(work, verbosity)
    except Interrupted as stopped:
        message = "interrupted; nothing is lost: run the same command again to continue"
        print_error(message)
        return 128 + stopped.signal
    return report(result)
