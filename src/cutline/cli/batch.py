"""``cutline batch``: pictures to a service's batch API, and its answers into the output."""

from __future__ import annotations

import asyncio
import dataclasses
import sys
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar

import cyclopts
from cyclopts import Parameter

from cutline.cli import batch_messages as words
from cutline.cli.caption import Service, option_group, typed, with_service
from cutline.cli.common_options import Saying
from cutline.cli.execute import log, signals
from cutline.cli.service_key import ServiceKey
from cutline.display import Display
from cutline.engine.batches.requests import FileLimits
from cutline.engine.cancellation import Stop
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Interrupted
from cutline.errors import SinkError
from cutline.job import (
    CheckOptions,
    InputOptions,
    Job,
    LocalOptions,
    ModelOptions,
    OutputOptions,
    PictureOptions,
    PromptOptions,
    RunOptions,
)

_T = TypeVar("_T")

app = cyclopts.App(
    name="batch", help="Have pictures captioned within a day, at half the price.", version_flags=()
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Estimating(Saying):
    estimate: bool = False
    """Ask about a few pictures, tell tokens and money of the whole, and stop; sends no batch."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Noted(ServiceKey):
    """Where the batches are noted, and with which key the service is asked."""

    state: str | None = None
    """Folder for the journal, if another was named when the batches were sent."""


@app.command
def submit(
    input_path: str,
    output_path: str | None = None,
    *,
    before: Annotated[Estimating, option_group("Before and during")] = Estimating(),
    model: Annotated[ModelOptions, option_group("Model")] = ModelOptions(),  # noqa: B008 - frozen
    service: Annotated[Service, option_group("Model")] = Service(),  # noqa: B008 - frozen
    local: Annotated[LocalOptions, option_group("Local models")] = LocalOptions(),  # noqa: B008 - frozen
    prompts: Annotated[PromptOptions, option_group("Prompt")] = PromptOptions(),  # noqa: B008 - frozen
    checks: Annotated[CheckOptions, option_group("Checks")] = CheckOptions(),  # noqa: B008 - frozen
    input: Annotated[InputOptions, option_group("Input", negative="no-")] = InputOptions(),  # noqa: A002, B008 - frozen
    pictures: Annotated[PictureOptions, option_group("Pictures")] = PictureOptions(),  # noqa: B008 - frozen
    output: Annotated[OutputOptions, option_group("Output")] = OutputOptions(),  # noqa: B008 - frozen
    run: Annotated[RunOptions, option_group("Run", negative="no-")] = RunOptions(),  # noqa: B008 - frozen
    files: Annotated[FileLimits, option_group("Run")] = FileLimits(),  # noqa: B008 - frozen
) -> int:
    """Send pictures to the service's batch API: answers within a day, at half the price.

    The same command again, however the last one ended, sends what is missing and nothing twice.

    Parameters
    ----------
    input_path
        As for `cutline caption`.
    output_path
        As for `cutline caption`; nothing is written there before `cutline batch collect`.
    """
    before.check()
    job = Job(
        input_path=input_path,
        output_path=output_path,
        input=input,
        model=with_service(typed(model), service),
        local=local,
        prompts=prompts,
        checks=checks,
        pictures=pictures,
        output=output,
        run=run,
    )
    key = service.key
    if before.estimate:
        from cutline.cli.preview import estimate
        from cutline.engine.batches.parts import check_job

        check_job(job, key)
        return estimate(job, key, in_batches=True)
    from cutline.engine.batches.submit import submit_job

    return _carried_out(
        lambda progress, stop: submit_job(job, limits=files, key=key, progress=progress, stop=stop),
        lambda result: words.submitted(job, result, quiet=before.quiet),
        before,
    )


@app.command
def status(
    output_path: str,
    *,
    noted: Annotated[Noted, Parameter(name="*")] = Noted(),
    saying: Annotated[Saying, Parameter(name="*")] = Saying(),  # noqa: B008 - frozen
) -> int:
    """Tell how far the service is with the batches of an output.

    Parameters
    ----------
    output_path
        The output that was named when the batches were sent.
    """
    from cutline.engine.batches.status import look, sent_for

    sent = sent_for(output_path, noted.state)
    return _carried_out(
        lambda progress, stop: look(sent, key=noted.key, progress=progress, stop=stop),
        lambda now: words.status(now, quiet=saying.quiet),
        saying,
    )


@app.command
def collect(
    output_path: str,
    *,
    wait: bool = False,
    keep_files: bool = False,
    noted: Annotated[Noted, Parameter(name="*")] = Noted(),
    saying: Annotated[Saying, Parameter(name="*")] = Saying(),  # noqa: B008 - frozen
) -> int:
    """Put the answers that have come into the output, and into the same journal as an ordinary run's.

    Parameters
    ----------
    output_path
        The output that was named when the batches were sent.
    wait
        Wait until every batch has ended.
    keep_files
        Leave the files of collected batches at the service.
    """
    from cutline.engine.batches.collect import collect_job

    return _carried_out(
        lambda progress, stop: collect_job(
            output_path,
            state=noted.state,
            key=noted.key,
            until_all=wait,
            keep_files=keep_files,
            progress=progress,
            stop=stop,
        ),
        lambda result: words.collected(result, quiet=saying.quiet),
        saying,
    )


@app.command
def cancel(
    output_path: str,
    *,
    forget: bool = False,
    noted: Annotated[Noted, Parameter(name="*")] = Noted(),
    saying: Annotated[Saying, Parameter(name="*")] = Saying(),  # noqa: B008 - frozen
) -> int:
    """End the batches of an output; what was answered until then can still be collected.

    Parameters
    ----------
    output_path
        The output that was named when the batches were sent.
    forget
        Give up what was answered too, so that all their pictures can be asked about anew.
    """
    from cutline.engine.batches.status import cancel as end

    return _carried_out(
        lambda progress, stop: end(
            output_path, state=noted.state, key=noted.key, forget=forget, progress=progress, stop=stop
        ),
        lambda sent: words.cancelled(sent, forgotten=forget, quiet=saying.quiet),
        saying,
    )


def _carried_out(
    work: Callable[[ProgressHook, Stop], Coroutine[Any, Any, _T]], tell: Callable[[_T], int], saying: Saying
) -> int:
    """Do it with progress and signals, and tell the result; returns the exit code."""
    saying.check()
    display = Display(quiet=saying.quiet)

    async def run() -> _T:
        stop = Stop()
        with signals(stop, display):
            return await work(display.show, stop)

    try:
        with display:
            log(verbose=saying.verbose)
            result = asyncio.run(run())
    except Interrupted as stopped:
        return _fail("interrupted; nothing is lost: the same command goes on", 128 + stopped.signal)
    except SinkError as error:
        return _fail(str(error), 4)
    return tell(result)


def _fail(message: str, code: int) -> int:
    print(f"cutline: {message}", file=sys.stderr)  # noqa: T201 - the command line speaks
    return code
