"""Messages of ``cutline batch``."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from collections.abc import Iterator

from rich.text import Text

from cutline.cli.summary import stage_lines, summary
from cutline.cli.tables import new_table
from cutline.engine.batch_manifest import OVER
from cutline.engine.batches.collect import IN_NO_BATCH, UNDER_WAY, UNDONE, Collection
from cutline.engine.batches.status import BatchStatus
from cutline.engine.batches.submit import Submission
from cutline.engine.batches.upload import UploadStats
from cutline.engine.report import EXIT_FAILURES, EXIT_OK, EXIT_STOPPED, Interrupted, Report
from cutline.formatting import duration, plural
from cutline.job import Job
from cutline.terminal import Console, print_error


def submitted(job: Job, result: Submission, *, quiet: bool) -> int:
    """Print what was sent and the next commands; returns the exit code."""
    stats, stopped = result.stats, result.stopped
    console = _console(quiet=quiet)
    if stats.batches:
        files = f"{plural(stats.batches, 'batch', 'batches')} of {plural(stats.requests, 'request')}"
        console.print(Text(f"{plural(stats.pictures, 'picture')} sent in {files}", style="bold"))
    elif stopped is None:
        console.print(Text("nothing was sent", style="bold"))
    for line in _others(stats):
        console.print(line, markup=False)
    if stats.batches or stats.waiting > 0:
        console.print(f"status: {_command('status', result.output, job)}", markup=False)
        collecting = _command("collect", result.output, job)
        console.print(f"captions, within a day: {collecting} --wait", markup=False)
    if stopped is not None:
        why = "interrupted" if isinstance(stopped, Interrupted) else f"stopped: {stopped}"
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            Text(f"{why} · what was sent is recorded; run the same command again to continue", style="bold")
        )
        return 128 + stopped.signal if isinstance(stopped, Interrupted) else EXIT_STOPPED
    return EXIT_FAILURES if stats.unprepared.failures > job.run.allow_failures else EXIT_OK


def _others(stats: UploadStats) -> list[str]:
    counts = stats.unprepared
    lines = []
    if stats.waiting > 0:
        lines.append(f"{plural(stats.waiting, 'picture')} were sent before and are in progress")
    if stats.known:
        lines.append(f"{plural(stats.known, 'picture')} were done before")
    if counts.captions:
        lines.append(f"{plural(counts.captions, 'picture')} had all their responses from before")
    if counts.failures:
        lines.append(f"{plural(counts.failures, 'picture')} could not be sent: {_kinds(counts.kinds)}")
    if counts.skips:
        lines.append(f"{plural(counts.skips, 'picture')} skipped: {_kinds(counts.reasons)}")
    return lines


def status(status: BatchStatus, *, quiet: bool) -> int:
    """Print a table of the batches on the output stream."""
    table = new_table("batch", "status", numbers=("pictures", "done", "failed"))
    table.add_column("", overflow="fold")
    for batch in status.batches:
        figures = (f"{number:,}" for number in (batch.pictures, batch.done, batch.failed))
        collected = batch.stage == "collected"
        stage = f"{batch.status}, collected" if collected else batch.status or "not sent"
        left = batch.ends - time.time() if batch.under_way and batch.ends is not None else None
        note = "" if left is None else f"{duration(left)} left" if left > 0 else "expired"
        table.add_row(Text(batch.id or batch.name), Text(stage), *figures, Text(note))
    out = Console(highlight=False, soft_wrap=True)
    out.print(table)
    for batch in status.batches:
        if batch.problem:
            out.print(f"{batch.id or batch.name} {batch.status}: {batch.problem}", markup=False)
    console = _console(quiet=quiet)
    if any(not batch.is_sent for batch in status.batches):
        console.print("not everything is sent: run `cutline batch submit` with the same arguments again")
    if any(batch.is_open and batch.status in OVER for batch in status.batches):
        console.print(f"ready to collect: {_command('collect', status.output, status.job)}", markup=False)
    return EXIT_OK


def collected(result: Collection, *, quiet: bool) -> int:
    """Print the result of the run that collected, and what is still in progress; returns the exit code."""
    report, status = result.report, result.status
    console = _console(quiet=quiet)
    if report is None:
        if status.open_batches:
            console.print("nothing is sent yet: run `cutline batch submit` with the same arguments again")
            return EXIT_STOPPED
        console.print("nothing is left to collect: every batch is collected")
        return EXIT_OK
    if not quiet:
        summary(report, list(_hints(status, report)))
    elif report.stopped is not None:
        print_error(f"stopped: {report.stopped}")
    if report.exit_code in {EXIT_OK, EXIT_FAILURES} and status.under_way:
        return EXIT_STOPPED
    return report.exit_code


def cancelled(status: BatchStatus, *, forgotten: bool, quiet: bool) -> int:
    """Print the state of the cancelled batches and how to collect what they have; returns the exit code."""
    console = _console(quiet=quiet)
    running = sum(batch.under_way for batch in status.batches)
    if running:
        console.print(f"{plural(running, 'batch is', 'batches are')} being cancelled by the service")
    else:
        console.print("no batch is in progress any more")
    if status.open_batches:
        collecting = _command("collect", status.output, status.job)
        console.print(f"captions made so far: {collecting} --wait", markup=False)
    elif forgotten:
        console.print("their captions are discarded: the pictures can be captioned again")
    return EXIT_OK


def _hints(status: BatchStatus, report: Report) -> Iterator[str]:
    """Suggested next steps."""
    counts = report.counts
    yield from stage_lines(report)
    for batch in status.batches:
        if batch.problem:
            yield f"{batch.id or batch.name} {batch.status}: {batch.problem}"
    if under_way := counts.reasons.get(UNDER_WAY, 0):
        yield f"{plural(under_way, 'picture is', 'pictures are')} in progress: collect later, or with --wait"
    undone = Counter({kind: count for kind, count in counts.kinds.items() if kind in UNDONE})
    left = undone.total() + counts.reasons.get(IN_NO_BATCH, 0)
    if left and not status.under_way:
        yield (
            f"{plural(left, 'picture was', 'pictures were')} not captioned: run `cutline caption` with the "
            "arguments of the batch, or `cutline batch submit` to send another"
        )
    if counts.failures > undone.total():
        yield "retry the failed ones with `cutline caption` or `cutline batch submit`, and --retry-failed"


def _command(name: str, output: str, job: Job) -> str:
    """A command for the output's batches, ready to paste."""
    state = ("--state", job.run.state) if job.run.state is not None else ()
    return shlex.join(("cutline", "batch", name, output, *state))


def _kinds(counter: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counter.most_common(5))


def _console(*, quiet: bool) -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
