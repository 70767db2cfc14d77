"""The contestants that have to be asked: each an ordinary job with a journal of its own."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from cutline.comparison.candidates import Candidate
from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.progress import ProgressHook
from cutline.engine.report import EXIT_OK, EXIT_STOPPED, Report
from cutline.engine.run import run_job
from cutline.errors import ConfigError, CutlineError, JobChanged, OutputExists, OutputGone, OutputLocked
from cutline.files import write_atomically, write_errors
from cutline.formatting import duration, money, most_common, plural, printable, short_number
from cutline.interfaces import Source
from cutline.job import Job, RunOptions

_TO_DECIDE = (JobChanged, OutputExists, OutputGone, OutputLocked)  # by the user, before anybody goes on


CAUSE = 200  # characters of what is told about a failure


class Halt:
    """The wish to end the whole comparison, handed on to whichever run is under way."""

    def __init__(self) -> None:
        self.reason: CutlineError | None = None
        self._stop: Stop | None = None

    def request(self, reason: CutlineError) -> None:
        if self.reason is None:
            self.reason = reason
        if self._stop is not None:
            self._stop.request(reason)

    def stop(self) -> Stop:
        """The next run's own: that it stops itself must not end the others."""
        self._stop = Stop()
        if self.reason is not None:
            self._stop.request(self.reason)
        return self._stop


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """Who is told how it goes: lines of text, and the progress of the run under way."""

    say: Callable[[str], None] = lambda _: None
    progress: ProgressHook = lambda _: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Where a contestant's captions are. ``pace`` in pictures a second, 0 where nothing was measured;
    ``cost`` in US dollars a picture, None where no price is known; ``told`` is the run in a line.
    """

    output: str
    model: str = ""
    pace: float = 0.0
    cost: float | None = None
    stopped: str = ""
    told: str = ""
    exit_code: int = EXIT_OK


async def check(contestants: Sequence[Candidate]) -> None:
    """Find out what keeps any of them from being asked, before the first one is.

    Raises:
        ConfigError: a key, a model's name, a price … is missing; names the contestant.
    """
    for contestant in contestants:
        job = contestant.job
        if job is None:
            continue
        try:
            job.check()
            chain = assembly.chain_of(job, contestant.key)
            try:
                assembly.prices_for(job, chain)
            finally:
                await chain.aclose()
        except ConfigError as error:
            named = str(error) if contestant.name in str(error) else f"{contestant.name}: {error}"
            raise ConfigError(named) from None


async def ask(
    contestants: Sequence[Candidate],
    folder: Path,
    *,
    source: Source | None = None,
    watching: Watching,
    halt: Halt,
) -> list[Asked]:
    """Run the contestants' jobs one after the other, so that each is measured alone.

    One that cannot go on does not keep the others from being asked. The budgets of the jobs are those
    of all of them together.

    Raises:
        CutlineError: as ``run_job``.
    """
    asking = _Asking(folder, source, watching, halt)
    asked: list[Asked] = []
    unable: list[ConfigError] = []
    for number, contestant in enumerate(contestants, 1):
        if contestant.job is None:
            asked.append(Asked(output=contestant.output))
            continue
        watching.say(f"{number}/{len(contestants)} {contestant.name}")
        try:
            asked.append(await asking.ask(contestant, contestant.job))
        except _TO_DECIDE:
            raise
        except ConfigError as error:  # such as weights that cannot be had, which only loading them tells
            unable.append(error)
            output = asking.output_of(contestant)
            asked.append(Asked(output=output, stopped=str(error), exit_code=EXIT_STOPPED))
        if halt.reason is not None:
            break
        watching.say(f"{contestant.name}: {asked[-1].told or asked[-1].stopped}")
    if unable and len(unable) == len(contestants):
        raise unable[0]
    return asked


class _Asking:
    """Runs jobs, and knows what all of them cost so far."""

    def __init__(self, folder: Path, source: Source | None, watching: Watching, halt: Halt) -> None:
        self._folder = folder
        self._source = source
        self._watching = watching
        self._halt = halt
        self._tokens, self._dollars = 0, 0.0

    def output_of(self, contestant: Candidate) -> str:
        return str(self._folder / _folder_name(contestant.name) / "captions.jsonl")

    async def ask(self, contestant: Candidate, job: Job) -> Asked:
        """Run the contestant's job; raises as ``run_job``."""
        output = self.output_of(contestant)
        run = _within(job.run, self._tokens, self._dollars)
        if run is None:
            return Asked(output=output, stopped="the budget is used up", exit_code=EXIT_STOPPED)
        report = await run_job(
            dataclasses.replace(job, output_path=output, run=run),
            source=self._source,
            key=contestant.key,
            progress=self._watching.progress,
            stop=self._halt.stop(),
        )
        self._tokens += report.spent.total
        self._dollars += report.cost or 0.0
        return Asked(
            output=output,
            model=report.model,
            pace=await asyncio.to_thread(_pace, Path(output).with_name("pace.json"), report),
            cost=None if report.cost is None else report.cost / max(report.counts.total, 1),
            stopped=str(report.stopped) if report.stopped else "",
            told=_told(report),
            exit_code=report.exit_code,
        )


def _folder_name(name: str) -> str:
    """A folder of the contestant's own, that a person can still tell."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:60]
    return f"{plain}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def _within(run: RunOptions, tokens: int, dollars: float) -> RunOptions | None:
    """The options with what the budgets have left; None when that is nothing."""
    changes: dict[str, int | float] = {}
    if run.budget_tokens is not None:
        changes["budget_tokens"] = run.budget_tokens - tokens
    if run.max_cost is not None:
        changes["max_cost"] = run.max_cost - dollars
    if any(left <= 0 for left in changes.values()):
        return None
    return dataclasses.replace(run, **changes)  # type: ignore[arg-type]  # by name


def _pace(path: Path, report: Report) -> float:
    """Pictures a second over all runs that asked anything; kept, as a finished run asks nothing."""
    pictures, seconds = 0, 0.0
    try:
        known = orjson.loads(path.read_bytes())
        pictures, seconds = int(known["pictures"]), float(known["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing was measured yet, or nothing that can be used
    if report.fresh.total:
        pictures, seconds = pictures + report.fresh.total, seconds + report.seconds
        with write_errors(path):
            write_atomically(path, orjson.dumps({"pictures": pictures, "seconds": seconds}))
    return pictures / seconds if seconds > 0 else 0.0


def _told(report: Report) -> str:
    counts = report.counts
    words = [plural(counts.captions, "caption")]
    if counts.failures:
        first = f", such as {printable(report.failed[0]['message'])[:CAUSE]}" if report.failed else ""
        words.append(f"{counts.failures:,} failed ({most_common(counts.kinds)}{first})")
    if counts.skips:
        words.append(f"{counts.skips:,} skipped")
    words.append(duration(report.seconds) if report.fresh.total else "all from an earlier run")
    if report.spent.total:
        words.append(f"{short_number(report.spent.total)} tokens")
    if report.cost:
        words.append(money(report.cost))
    if report.stopped is not None:
        words.append(f"stopped: {report.stopped}")
    return " · ".join(words)
