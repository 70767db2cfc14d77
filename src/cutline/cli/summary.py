"""What a person is told when a run has ended."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cutline.engine.report import Interrupted, Report
from cutline.errors import BudgetSpent, EndpointUnusable, ManyFailed
from cutline.formatting import duration, money, most_common, plural, printable, short_number
from cutline.job import Job
from cutline.storage import is_url

_FINAL = frozenset(
    {"bad-row", "blocked-path", "damaged-shard", "decode", "prompt-variable", "too-large", "unsupported"}
)  # asking again gives the same
SLOW = 10.0  # seconds
SHOWN = 400  # characters of a caption in the table of the first ones
KINDS = 5  # of failures that the summary tells of
CAUSES = 3  # of each kind


def first_rows(report: Report) -> None:
    """The first captions as a table on the output stream."""
    if not report.first:
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("picture", overflow="fold", max_width=32)
    table.add_column("caption", overflow="fold")
    for key, text in report.first:
        table.add_row(Text(printable(key)), Text(textwrap.shorten(text, SHOWN, placeholder=" …")))
    Console(highlight=False).print(table)


def summary(job: Job, report: Report, hints: Iterable[str] | None = None) -> None:
    """One paragraph about the run, on the error stream; ``hints`` take the place of the usual ones."""
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal  # a line is a line for whatever reads it
    console.print(Text(_result(report), style="bold" if report.stopped is None else "yellow"))
    for example in examples(report):
        console.print(f"  {example}", markup=False)
    for path in report.outputs:
        console.print(f"→ {_from_here(path)}", markup=False)
    for hint in _hints(job, report) if hints is None else hints:
        console.print(hint, markup=False)
    if report.stopped is not None:
        why = "interrupted" if isinstance(report.stopped, Interrupted) else f"stopped: {report.stopped}"
        journal = f"(journal in {_from_here(report.state)}{_waiting(report)})"
        console.print(Text(f"{why} · nothing is lost{_how_to_go_on(report)} {journal}", style="bold"))


def _how_to_go_on(report: Report) -> str:
    if isinstance(report.stopped, ManyFailed | BudgetSpent):
        return ""  # they say so themselves
    unusable = isinstance(report.stopped, EndpointUnusable)
    mend = "mend that, then " if unusable else ""
    again = " with --retry-failed" if unusable and set(report.fresh.kinds) - _FINAL else ""
    return f": {mend}the same command{again} goes on"


def _waiting(report: Report) -> str:
    if not report.waiting:
        return ""
    written, waiting = report.counts.total, report.waiting
    return f"; {written:,} of these are written, {waiting:,} wait in it for one before them"


def examples(report: Report) -> Iterator[str]:
    """For each of the commonest kinds of failure its commonest causes, each in a line with a picture."""
    for kind, _ in report.known.kinds.most_common(KINDS):
        causes = report.causes.get(kind, ())
        often = sum(cause.count > 1 for cause in causes)
        all_shown = len(causes) <= CAUSES
        for cause in causes if all_shown else causes[: min(often + 1, CAUSES)]:
            words, key = printable(cause.message), printable(cause.key)
            if cause.count > 1:
                least = "" if cause.exact else "at least "
                yield f"{kind}: {least}{cause.count:,} x {words.removesuffix('.')}, such as {key}"
            else:
                yield f"{kind}: {'' if all_shown else 'such as '}{key}: {words}"


def failed_in_a_line(report: Report) -> str:
    """Why a run that says nothing else does not end as it should."""
    counts = report.counts
    file = next((path for path in report.outputs if path.endswith(".failures.jsonl")), "")
    where = f"; all are told in {_from_here(file)}" if file else ""
    example = next(examples(report), "")
    return f"{counts.failures:,} failed ({most_common(counts.kinds)}){example and '; ' + example}{where}"


def _from_here(path: str) -> str:
    """A path within the working folder as the user would type it."""
    if is_url(path) or not Path(path).is_relative_to(Path.cwd()):
        return path
    return str(Path(path).relative_to(Path.cwd()))


def _result(report: Report) -> str:
    counts = report.known
    words = [plural(counts.captions, "caption")]
    if counts.skips:
        words.append(f"{counts.skips:,} skipped ({most_common(counts.reasons)})")
    if counts.failures:
        words.append(f"{counts.failures:,} failed ({most_common(counts.kinds)})")
    earlier = counts.total - report.fresh.total
    if earlier > 0 and (report.fresh.total or report.stopped is not None):
        words.append(f"{earlier:,} of these from earlier runs")
    words.append(duration(report.seconds))
    paid = [f"{short_number(report.spent.total)} tokens"] if report.spent.total else []
    if report.cost:
        paid.append(money(report.cost))
    if paid and report.spent.total > report.fresh.usage.total:
        paid[0] = f"in all runs {paid[0]}"
    words += paid
    return " · ".join(words)


def stage_lines(report: Report) -> Iterator[str]:
    """What each filter and check did."""
    for name, line in report.stages.items():
        yield printable(f"{name}: {line}")


def _missing(steps: Mapping[str, Mapping[str, int]], *, retried: bool) -> Iterator[str]:
    for name, kinds in steps.items():
        count = sum(kinds.values())
        captions = "1 caption is" if count == 1 else f"{count:,} captions are"
        why = most_common(Counter(kinds))
        again = "" if retried else "; --retry-failed asks for it again"
        yield f"{captions} without the optional step {name} ({why}){again}"


def _failed(kinds: Collection[str], job: Job) -> Iterator[str]:
    """How to get the captions that are missing."""
    if "prompt-variable" in kinds:
        yield "another --prompt with --on-change redo-failed asks about those that this one does not fit"
    if "blocked-address" in kinds and not job.input.allow_private_urls:
        yield (
            "for pictures at private addresses: the same command with --allow-private-urls "
            "(of a job also CUTLINE_JOB_ALLOW_PRIVATE_URLS=true)"
        )
    if "truncated" in kinds:
        yield (
            "truncated answers had no room to end: a larger --max-tokens with --on-change redo-failed asks "
            "about those pictures again"
        )
    others = set(kinds) - {"prompt-variable", "truncated", "blocked-address"}
    if others and not job.run.retry_failed:
        mended = "" if others - _FINAL else "once that is mended, "
        yield f"{mended}the same command with --retry-failed asks about the failed ones again"


def _hints(job: Job, report: Report) -> Iterator[str]:
    """What a person may want to do next."""
    counts = report.counts
    if counts.total and not report.fresh.total and report.stopped is None:
        yield "nothing was asked: every picture had its outcome from an earlier run"
    yield from stage_lines(report)
    if report.changed:
        yield f"{report.changed:,} pictures had changed since they were captioned, and were asked about again"
    if report.replaced:
        named = ", ".join(printable(key) for key in report.first_replaced)
        more = ", …" if report.replaced > len(report.first_replaced) else ""
        yield (
            f"{report.replaced:,} changed while the run was under way ({named}{more}): captioned "
            "as read then; the same command asks again about those that are different now"
        )
    if report.left_out:
        yield (
            f"{report.left_out:,} earlier captions are not in the output now, as their pictures are not in "
            "the input; the journal keeps them"
        )
    yield from _missing(counts.missing_steps, retried=job.run.retry_failed)
    if report.stopped is None:
        yield from _failed(counts.kinds, job)
    if counts.reasons.get("captioned already") and job.output.existing is None:
        yield "pictures with captions were left alone; --existing overwrite, append or prepend asks anyway"
    if report.fresh.captions and report.model.partition(":")[0] == "pixels":
        asked = ", and takes from a prompt only its form, such as short or tags" if job.prompts.prompt else ""
        yield (
            "these are the words of the embedded captioner `pixels`: it measures light, colour and layout "
            f"and knows no objects{asked}; for a model that does: --model ollama:llava:7b, "
            "or see `cutline models`"
        )
        if report.seconds > SLOW and report.model == "pixels:ocr":
            yield "reading the text in the pictures took most of the time; --model pixels skips it"
