"""The summary that is printed after a run."""

from __future__ import annotations

import functools
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cutline.engine.report import Interrupted, Report
from cutline.errors import BudgetSpent, EndpointUnusable, ManyFailed, SourceError
from cutline.files import similar_path
from cutline.formatting import duration, money, most_common, plural, printable, ranked, short_number
from cutline.installation import exact
from cutline.job import Job
from cutline.records import Slowdown
from cutline.sources.names import is_archive
from cutline.storage import is_remote, is_url, local_path
from cutline.terminal import Console

_MAY_NEED_OPTIONS = frozenset({"rejected", "parameter", "empty", "schema-miss"})
_FINAL = frozenset(
    {
        "bad-row",
        "bad-url",
        "blocked-path",
        "damaged-shard",
        "decode",
        "prompt-variable",
        "too-large",
        "unsupported",
    }
)  # a repetition gives the same
SLOW = 10.0  # seconds
MAX_CHARACTERS = 400  # of a caption in the table of the first ones
PICTURE_WIDTH = 32  # letters of a picture's path in the table
LINES = 2  # of each caption in the table of the first ones, on a terminal
LINES_OF_SUMMARY = 12  # the line of the command and the table's head included
MAX_KINDS = 5  # of failures in the summary
MAX_CAUSES = 3  # of each kind
MAX_KEY = 200  # letters of a picture's key


def first_rows(report: Report) -> None:
    """Print the first captions as a table on the output stream; on a terminal what fits with the summary."""
    console, width, count = Console(), MAX_CHARACTERS, len(report.first)
    if console.is_terminal:
        width = min(width, LINES * max(console.width - PICTURE_WIDTH - 4, 20))
        count = max(2, (console.height - LINES_OF_SUMMARY) // (LINES + 1))
    if report.first:
        shorten = functools.partial(textwrap.shorten, width=width, placeholder=" …")
        print_captions((key, Text(shorten(text))) for key, text in report.first[:count])
        if (more := report.counts.captions - min(count, len(report.first))) > 0:
            console.print(f"and {more:,} more", style="dim", highlight=False)


def print_captions(rows: Iterable[tuple[str, Text]]) -> None:
    """Print pictures' keys and captions as a table on the output stream."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 1, 0))
    table.add_column("picture", overflow="fold", max_width=PICTURE_WIDTH)
    table.add_column("caption", overflow="fold")
    for key, text in rows:
        table.add_row(Text(printable(key)), text)
    Console(highlight=False).print(table)


def summary(report: Report, hints: Iterable[str] | None = None) -> None:
    """Print one paragraph about the run on the error stream; ``hints`` replace the usual ones."""
    console = Console(stderr=True, highlight=False)
    console.soft_wrap = not console.is_terminal  # programs that read the output expect whole lines
    console.print(Text(_result(report), style="bold" if report.stopped is None else "yellow"))
    for example in examples(report):
        console.print(f"  {example}", markup=False)
    for path in report.outputs:
        console.print(f"→ {_relative(path)}", markup=False)
    for hint in _hints(report) if hints is None else hints:
        console.print(hint, markup=False)
    if report.stopped is not None:
        why = (
            "interrupted"
            if isinstance(report.stopped, Interrupted)
            else printable(f"stopped: {report.stopped}")
        )
        waiting = ""
        if report.waiting:
            written = plural(report.counts.total, "caption is", "captions are")
            waits = plural(report.waiting, "waits", "wait")
            waiting = f"; {written} written, {waits} in it for an earlier picture"
        journal = f"(journal in {_relative(report.state)}{waiting})"
        console.print(Text(f"{why} · nothing is lost{_continuation(report)} {journal}", style="bold"))


def _continuation(report: Report) -> str:
    if isinstance(report.stopped, ManyFailed | BudgetSpent):
        return ""  # their messages name the next step
    # A quota (429) needs no fix: its message has the time at which it ends.
    unusable = isinstance(report.stopped, EndpointUnusable) and report.stopped.status != 429
    fix = "fix this and " if unusable or isinstance(report.stopped, SourceError) else ""
    retry = " with --retry-failed" if unusable and set(report.fresh.kinds) - _FINAL else ""
    is_named = not retry and "run the same command" in str(report.stopped)
    return "" if is_named else f": {fix}run the same command again{retry} to continue"


def examples(report: Report) -> Iterator[str]:
    """The most common causes of the most common kinds of failure, one a line, each with a picture."""
    for kind, _ in ranked(report.known.kinds, MAX_KINDS):
        causes = report.causes.get(kind, ())
        often = sum(cause.count > 1 for cause in causes)
        all_shown = len(causes) <= MAX_CAUSES
        for cause in causes if all_shown else causes[: min(often + 1, MAX_CAUSES)]:
            message, key = exact(printable(cause.message)), printable(_short(cause.key))
            if cause.count > 1:
                minimum = "" if cause.exact else "at least "
                yield f"{kind}: {minimum}{cause.count:,} x {message.removesuffix('.')}, such as {key}"
            else:
                yield f"{kind}: {'' if all_shown else 'such as '}{key}: {message}"


def _short(key: str) -> str:
    return key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}…"


def failed_in_a_line(report: Report) -> str:
    """Why a quiet run failed, in one line."""
    counts = report.counts
    if counts.failures <= report.allow_failures:  # it fails for what has no picture
        found = [f"{report.missing:,} without a picture"] if report.missing else []
        found += [printable(str(left_over)) for left_over in report.left_over]
        return f"{'; '.join(found)}; --on-missing ignore lets such a run succeed"
    file = next((path for path in report.outputs if path.endswith(".failures.jsonl")), "")
    where = f"; all are listed in {_relative(file)}" if file else ""
    example = next(examples(report), "")
    return f"{counts.failures:,} failed ({most_common(counts.kinds)}){example and '; ' + example}{where}"


def _relative(path: str) -> str:
    """A path within the working folder, relative to it."""
    try:
        folder = Path.cwd()
    except FileNotFoundError:  # it was removed
        return path
    return (
        path if is_url(path) or not Path(path).is_relative_to(folder) else str(Path(path).relative_to(folder))
    )


def _result(report: Report) -> str:
    counts = report.known
    parts = [plural(counts.captions, "caption")]
    if counts.skips:
        parts.append(f"{counts.skips:,} skipped ({most_common(counts.reasons)})")
    if counts.failures:
        parts.append(f"{counts.failures:,} failed ({most_common(counts.kinds)})")
    earlier = counts.total - report.fresh.total
    if earlier > 0 and (report.fresh.total or report.stopped is not None):
        parts.append(f"{report.fresh.total:,} new, {earlier:,} from earlier runs")
    parts.append(duration(report.seconds))
    paid = [f"{short_number(report.spent.total)} tokens"] if report.spent.total else []
    if report.cost:
        paid.append(money(report.cost))
    if paid and report.spent.total > report.fresh.usage.total:
        paid[0] = f"in all runs {paid[0]}"
    parts += paid
    return " · ".join(parts)


def stage_lines(report: Report) -> Iterator[str]:
    """The summary line of each filter and check."""
    for name, line in report.stages.items():
        yield printable(f"{name}: {line}")


def _checks(report: Report) -> Iterator[str]:
    """How to get captions past the checks that failed them."""
    names = list(report.failed_checks)
    if not names:
        return
    actions = ["`:note`", "`:skip`", *["`:repair`"] * any(report.failed_checks.values())]
    changes = f"use another --prompt or --model, a looser check, or {' or '.join(actions)} after the check"
    first = "the captioner would write the same again; "
    if not report.same_again:
        first = "" if report.job.run.retry_failed else "run again with --retry-failed for other captions; or "
    yield f"for captions that failed {', '.join(names)}: {first}{changes}, with --on-change redo-failed"


def _failed(kinds: Collection[str], job: Job, *, has_words: bool) -> Iterator[str]:
    """How to get the missing captions; ``has_words``: there are some of a truncated one."""
    if "prompt-variable" in kinds:
        yield "for pictures without a variable: run again with another --prompt and --on-change redo-failed"
    if "blocked-address" in kinds and not job.input.allow_private_urls:
        yield (
            "for pictures at private addresses: run again with --allow-private-urls "
            "(for a job also CUTLINE_JOB_ALLOW_PRIVATE_URLS=true)"
        )
    if "bad-url" in kinds:
        yield "for URLs that cannot be fetched: correct them in the input, and run the same command again"
    if "truncated" in kinds:
        yield "for truncated captions: run again with a larger --max-tokens and --on-change redo-failed"
        if job.model.truncated == "fail" and has_words:
            yield "or keep what there is of them, without a new request: --truncated sentence"
    others = set(kinds) - {"prompt-variable", "truncated", "blocked-address", "bad-url"}
    if others and not job.run.retry_failed:
        fix = "" if others - _FINAL else "once the cause is fixed, "
        other = "; where an option has to change, with that and --on-change redo-failed"
        may_change = not others.isdisjoint(_MAY_NEED_OPTIONS)
        yield f"{fix}run again with --retry-failed to retry the failed ones{other if may_change else ''}"


def _misnamed(report: Report) -> Iterator[str]:
    """The file that the first missing picture may be, such as one in other letter case."""
    job, causes = report.job, report.causes.get("missing", ())
    place = local_path(job.input.image_root or job.input_path)
    if causes and not is_remote(place) and not is_archive(place):
        folder = place if Path(place).is_dir() else Path(place).parent
        if found := similar_path(Path(folder, causes[0].key)):
            yield printable(f"{causes[0].key} is missing{found}")
        elif place == local_path(job.input_path) and folder != place and not report.counts.captions:
            yield printable(
                f"the input's paths start from {Path(folder).resolve()}: --image-root names another folder"
            )


def _missing(report: Report) -> Iterator[str]:
    """The contents of the input other than samples with pictures."""
    if report.on_missing != "ignore":
        yield from (printable(str(left_over)) for left_over in report.left_over)
    if report.missing_counts and report.on_missing == "warn":
        yield "no picture was found in the input; --on-missing ignore lets such a run succeed"


def _slowdown(slowdown: Slowdown) -> Iterator[str]:
    if slowdown.times:
        times = plural(sum(slowdown.times.values()), "time")
        held = f", {duration(slowdown.seconds)}" if slowdown.seconds >= 1 else ""
        yield f"slowed by {', '.join(slowdown.times)}: {times}{held}"


def _changes(report: Report) -> Iterator[str]:
    """The pictures that have changed, or may have."""
    if report.changed:
        yield f"{plural(report.changed, 'picture')} captioned again: the picture or its prompt has changed"
    if report.unchecked:
        yield (
            f"{plural(report.unchecked, 'picture')} could not be checked, as the server did not return it; "
            "the earlier captions are kept"
        )
    if report.replaced:
        named = ", ".join(printable(key) for key in report.first_replaced)
        more = ", …" if report.replaced > len(report.first_replaced) else ""
        yield (
            f"{plural(report.replaced, 'picture')} changed during the run ({named}{more}); run the same "
            "command again to caption those that are different now"
        )


def _hints(report: Report) -> Iterator[str]:
    """Remarks and suggested next steps."""
    counts, job = report.counts, report.job
    if counts.total and not report.fresh.total and report.stopped is None:
        yield "nothing to caption: every picture has an outcome from an earlier run"
    yield from report.kept_prompts.advice()
    yield from stage_lines(report)
    yield from _slowdown(report.slowdown)
    yield from _changes(report)
    if report.left_out:
        yield (
            f"{plural(report.left_out, 'earlier caption is', 'earlier captions are')} not in the output, as "
            "the pictures are no longer in the input; the journal keeps them"
        )
    yield from map(printable, report.warnings)
    yield from _missing(report)
    for name, kinds in counts.missing_steps.items():
        missing = plural(sum(kinds.values()), "caption is", "captions are")
        retry = "" if job.run.retry_failed else "; run again with --retry-failed to add it"
        yield f"{missing} without the optional step {name} ({most_common(Counter(kinds))}){retry}"
    if report.stopped is None:
        yield from _checks(report)
        yield from _misnamed(report)
        has_words = any(row.get("reply") for row in report.failed if row.get("kind") == "truncated")
        yield from _failed(counts.kinds.keys() - report.failed_checks.keys(), job, has_words=has_words)
    if counts.reasons.get("captioned already") and job.output.existing is None:
        yield "pictures with captions were skipped; caption them with --existing overwrite, append or prepend"
    first = report.fresh.captions and report.all_totals.captions == report.fresh.captions
    if first and report.model.partition(":")[0] == "pixels" and not isinstance(report.stopped, Interrupted):
        form = ", and uses only the form of a prompt, such as short or tags" if job.prompts.prompt else ""
        objects = "names only sure objects" if "objects" in report.model else "recognizes no objects"
        yield (
            "these captions are from the embedded captioner `pixels`: it measures light, colour and layout "
            f"and {objects}{form}; `cutline models` lists models that see what is shown"
        )
        from cutline.cli.model_advice import command_for
        from cutline.machine import Machine

        yield f"try: {command_for(job, Machine.here())}"
        if report.seconds > SLOW and report.model == "pixels:ocr":
            yield "reading the text in the pictures took most of the time; --model pixels skips it"
