"""The runs of the candidates that caption: each is an ordinary job with a journal of its own."""

from __future__ import annotations

import asyncio
import contextlib
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
from cutline.job import Job
from cutline.options import RunOptions

_NEEDS_DECISION = (JobChanged, OutputExists, OutputGone, OutputLocked)  # by the user, before any other run

CAUSE = 200  # characters of a failure's message


class Cancellation:
    """Cancellation of the whole comparison, forwarded to the current run."""

    def __init__(self) -> None:
        self.reason: CutlineError | None = None
        self._stop: Stop | None = None

    def request(self, reason: CutlineError) -> None:
        if self.reason is None:
            self.reason = reason
        if self._stop is not None:
            self._stop.request(reason)

    def stop(self) -> Stop:
        """A ``Stop`` for the next run: a run that stops itself must not end the others."""
        self._stop = Stop()
        if self.reason is not None:
            self._stop.request(self.reason)
        return self._stop


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Called with lines of text, and with the progress of the current run."""

    message: Callable[[str], None] = lambda _: None
    progress: ProgressHook = lambda _: None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CandidateRun:
    """The run of a candidate. ``pace`` in pictures a second, 0 if not measured; ``cost`` in US dollars a
    picture, None without a known price; ``summary`` is the run in a line.
    """

    output: str
    model: str = ""
    pace: float = 0.0
    cost: float | None = None
    stopped: str = ""
    summary: str = ""
    exit_code: int = EXIT_OK


async def check_candidates(candidates: Sequence[Candidate]) -> None:
    """Check that every candidate can run, before the first one does.

    Raises:
        ConfigError: a key, a model's name, a price … is missing; names the candidate.
    """
    for candidate in candidates:
        if candidate.job is None:
            continue
        try:
            candidate.job.check()
            async with contextlib.aclosing(assembly.chain_of(candidate.job, candidate.key)) as chain:
                assembly.prices_for(candidate.job, chain)
        except ConfigError as error:
            named = str(error) if candidate.name in str(error) else f"{candidate.name}: {error}"
            raise ConfigError(named) from None


@dataclasses.dataclass(slots=True, kw_only=True)
class CandidateRunner:
    """Runs the candidates' jobs; their budgets are shared. ``folder`` holds the journals."""

    folder: Path
    source: Source | None
    hooks: Hooks
    cancellation: Cancellation
    _tokens: int = 0
    _dollars: float = 0.0

    def remaining(self, options: RunOptions) -> RunOptions | None:
        """The options with the budgets that the candidates have left; None when one is used up."""
        return _remaining(options, self._tokens, self._dollars)

    async def run(self, candidates: Sequence[Candidate]) -> list[CandidateRun]:
        """Run the jobs one after the other, so that each is measured alone.

        One that cannot continue does not stop the others.

        Raises:
            CutlineError: as ``run_job``.
        """
        runs: list[CandidateRun] = []
        errors: list[ConfigError] = []
        for number, candidate in enumerate(candidates, 1):
            if candidate.job is None:
                runs.append(CandidateRun(output=candidate.output))
                continue
            self.hooks.message(f"{number}/{len(candidates)} {candidate.name}")
            output = str(self.folder / _folder_name(candidate.name) / "captions.jsonl")
            try:
                runs.append(await self._run_one(candidate, candidate.job, output))
            except JobChanged as error:
                raise JobChanged(
                    f"{candidate.name}: {error}; in a comparison redo-all requests again only the candidates "
                    "that have changed, and of chains the changed steps"
                ) from None
            except _NEEDS_DECISION:
                raise
            except ConfigError as error:  # such as weights that cannot be downloaded
                errors.append(error)
                runs.append(CandidateRun(output=output, stopped=str(error), exit_code=EXIT_STOPPED))
            if self.cancellation.reason is not None:
                break
            self.hooks.message(f"{candidate.name}: {runs[-1].summary or runs[-1].stopped}")
        if errors and len(errors) == len(candidates):
            raise errors[0]
        return runs

    async def _run_one(self, candidate: Candidate, job: Job, output: str) -> CandidateRun:
        options = self.remaining(job.run)
        if options is None:
            return CandidateRun(output=output, stopped="the budget is used up", exit_code=EXIT_STOPPED)
        report = await run_job(
            dataclasses.replace(job, output_path=output, run=options),
            source=self.source,
            key=candidate.key,
            progress=self.hooks.progress,
            stop=self.cancellation.stop(),
        )
        self._tokens += report.spent.total
        self._dollars += report.cost or 0.0
        return CandidateRun(
            output=output,
            model=report.model,
            pace=await asyncio.to_thread(_pace, Path(output).with_name("pace.json"), report),
            cost=None if report.cost is None else report.cost / max(report.counts.total, 1),
            stopped=str(report.stopped) if report.stopped else "",
            summary=_summary(report),
            exit_code=report.exit_code,
        )


def _folder_name(name: str) -> str:
    """A unique, readable folder name for the candidate."""
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:60]
    return f"{plain}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def _remaining(options: RunOptions, tokens: int, dollars: float) -> RunOptions | None:
    """The options with the remaining budgets; None when one is used up."""
    changes: dict[str, int | float] = {}
    if options.budget_tokens is not None:
        changes["budget_tokens"] = options.budget_tokens - tokens
    if options.max_cost is not None:
        changes["max_cost"] = options.max_cost - dollars
    if any(left <= 0 for left in changes.values()):
        return None
    return dataclasses.replace(options, **changes)  # type: ignore[arg-type]  # by name


def _pace(path: Path, report: Report) -> float:
    """Pictures a second over all runs with requests; stored, as a finished run sends none."""
    pictures, seconds = 0, 0.0
    try:
        stored = orjson.loads(path.read_bytes())
        pictures, seconds = int(stored["pictures"]), float(stored["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # nothing was measured yet, or the file is damaged
    if report.fresh.total:
        pictures, seconds = pictures + report.fresh.total, seconds + report.seconds
        with write_errors(path):
            write_atomically(path, orjson.dumps({"pictures": pictures, "seconds": seconds}))
    return pictures / seconds if seconds > 0 else 0.0


def _summary(report: Report) -> str:
    counts = report.counts
    parts = [plural(counts.captions, "caption")]
    if counts.failures:
        first = f", such as {printable(report.failed[0]['message'])[:CAUSE]}" if report.failed else ""
        parts.append(f"{counts.failures:,} failed ({most_common(counts.kinds)}{first})")
    if counts.skips:
        parts.append(f"{counts.skips:,} skipped ({most_common(counts.reasons)})")
    parts.append(duration(report.seconds) if report.fresh.total else "all from an earlier run")
    if report.spent.total:
        parts.append(f"{short_number(report.spent.total)} tokens")
    if report.cost:
        parts.append(money(report.cost))
    if report.stopped is not None:
        parts.append(f"stopped: {report.stopped}")
    return " · ".join(parts)
