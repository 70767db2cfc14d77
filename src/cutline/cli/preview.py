"""``--preview`` and ``--estimate``: captions and cost of a run in advance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from rich.text import Text

from cutline.cli.summary import print_captions
from cutline.credentials import Secret
from cutline.engine.preview import Estimate
from cutline.engine.preview import estimate as estimate_run
from cutline.engine.preview import preview as preview_run
from cutline.formatting import duration, money, plural, printable, short_number
from cutline.job import Job
from cutline.records import Caption, Skip
from cutline.terminal import Console

_MIN_SECONDS = 0.1  # shorter estimates are not exact


def say(line: str) -> None:
    """Print on the error stream; the output stream is for results."""
    Console(stderr=True, highlight=False, soft_wrap=True).print(line, markup=False)


def preview(job: Job, key: Secret | None, count: int) -> int:
    """Show the first captions as a table; 1 when one of them failed."""
    results = asyncio.run(preview_run(job, count, key=key, say=say))
    rows, failed = [], False
    for sample, outcome in results:
        if isinstance(outcome, Caption):
            text = Text("\n".join(_texts(outcome)))
        elif isinstance(outcome, Skip):
            text = Text(f"skipped: {printable(outcome.reason)}", style="dim")
        else:
            failed, text = True, Text(printable(f"{outcome.kind}: {outcome.message}"), style="red")
        rows.append((sample.key, text))
    print_captions(rows)
    return 1 if failed else 0


def _texts(caption: Caption) -> Iterator[str]:
    """The caption, and the other steps' texts, under their names where there are several."""
    source = caption.source
    yield caption.text if source is None or len(caption.steps) == 1 else f"{source.name}: {caption.text}"
    for step in caption.steps:
        if step is not caption.source:
            yield f"{step.name}: {step.text}"
    for name, kind in caption.missing_steps.items():
        yield f"{name}: missing ({kind}); the step is optional"


def estimate(job: Job, key: Secret | None, *, in_batches: bool = False) -> int:
    """Print time, tokens and cost of the whole run, and its cost through ``cutline batch``.

    ``in_batches``: budgets are compared with the cost of batches.
    """
    print_estimate(job, asyncio.run(estimate_run(job, key=key, say=say)), in_batches=in_batches)
    return 0


def print_estimate(job: Job, result: Estimate, noun: str = "picture", *, in_batches: bool = False) -> None:
    """Print an estimate; ``noun`` is what was counted."""
    console = Console(highlight=False, soft_wrap=True)
    _print_done(console, result, noun)
    if not result.probes:
        console.print(f"nothing to caption: no {noun} is left")
        return
    unknown = f"1,000 {noun}s (the total is unknown)"
    what = plural(result.total, noun) if result.total is not None else unknown
    cost = "price unknown (--prices FILE)" if result.cost is None else money(result.cost)
    sent, received = result.usage.prompt_tokens, result.usage.completion_tokens
    tokens = f"{short_number(sent)} tokens in, {short_number(received)} out"
    is_exact = result.seconds >= _MIN_SECONDS
    seconds = f"about {duration(result.seconds)}" if is_exact else f"less than {_MIN_SECONDS} s"
    console.print(f"{what}: {seconds} · {tokens} · {cost}")
    failed = f", {result.failed} of them failed" if result.failed else ""
    if in_batches and result.batch_cost is None:
        console.print(
            "batch price unknown: add its factor, such as batch = 0.5, to the model in --prices FILE"
        )
    if result.batch_cost:
        console.print(f"by `cutline batch submit`, within a day: {money(result.batch_cost)}")
    console.print(f"measured on {result.probes} {noun}s{failed}, {result.concurrency} requests at once")
    if job.run.budget_tokens and result.usage.total > job.run.budget_tokens:
        console.print(f"--budget-tokens {job.run.budget_tokens:,} would stop the run early")
    cost_of_run = result.batch_cost if in_batches and result.batch_cost is not None else result.cost
    if job.run.max_cost and cost_of_run and cost_of_run > job.run.max_cost:
        console.print(f"--max-cost {job.run.max_cost} would stop the run early")


def _print_done(console: Console, result: Estimate, noun: str) -> None:
    """What earlier runs have done already, and how to repeat the failures among it."""
    if result.done:
        failed = result.done_failed
        again = f"; {failed:,} of them failed, which --retry-failed captions again" if failed else ""
        console.print(f"{plural(result.done, noun)} done already{again}")
