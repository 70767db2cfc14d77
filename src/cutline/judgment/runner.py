"""Judge a contest: play the games as an ordinary job, and write the result."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Final

from cutline.credentials import Secret
from cutline.engine.cancellation import Stop
from cutline.engine.overlap import refuse_overlap, run_paths
from cutline.engine.preview import Estimate, estimate
from cutline.engine.progress import ProgressHook
from cutline.engine.report import EXIT_FAILURES, Report
from cutline.engine.report_file import ReportFile
from cutline.engine.state import State, state_folder
from cutline.errors import ConfigError
from cutline.formatting import plural
from cutline.imaging.thumbnails import side_for
from cutline.interfaces import Source
from cutline.job import Job
from cutline.judgment import rubric
from cutline.judgment.ballot import ballot_side, check_ballot, write_ballot
from cutline.judgment.contest import Contest, parse_outputs, read_contest
from cutline.judgment.exports import as_csv, as_json
from cutline.judgment.games import GameSource, Schedule, schedule
from cutline.judgment.judge_job import PROMPT, check_judge, judge_job, replies_to
from cutline.judgment.judgment import Judgment, judgment_of
from cutline.judgment.page import as_html
from cutline.judgment.people import people_of
from cutline.judgment.results import self_judged
from cutline.judgment.thumbnails import load_thumbnails
from cutline.judgment.verdicts import JudgeReply, played_games
from cutline.judgment.votes import Votes, read_votes
from cutline.sinks.chosen_captions import split_choice
from cutline.sources.outputs import is_state_of_run
from cutline.storage import is_remote, local_path

DEFAULT_OUTPUT = "judgment.html"
_FORMATS: Final = (".html", ".htm", ".json", ".csv")
PAGE_PICTURES = 500
"""Pictures shown on the page; the figures are of all pictures."""
_OF_ANY_INPUT = {"image_limit", "allow_private_urls", "user_agent"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to judge: ``outputs`` by name or as on the command line, and ``job`` with the judge as its model.

    The job's input has the pictures if the outputs do not tell where they are; its output is that of the
    result. ``judges`` is False where no model judges; with ``rubric`` it rates single captions, with
    ``batch`` through its batch API. ``people`` is the file of the voting page, ``votes`` are the files that
    it saved. ``allow_missing``: captions of pictures that are not given, and unreadable rows, are allowed.
    """

    outputs: Mapping[str, str] | Sequence[str]
    job: Job
    key: Secret | None = None
    judges: bool = True
    rubric: bool = False
    batch: bool = False
    people: str = ""
    votes: Sequence[str] = ()
    allow_missing: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Called with lines of text, and with the progress of the job."""

    message: Callable[[str], None] = lambda _: None
    progress: ProgressHook = lambda _: None


class JudgmentRunner:
    """Judges the contest of a plan; the same call continues an earlier one without paying twice.

    ``source`` replaces the job's input.

    Raises:
        ConfigError: the contest is invalid; nothing was requested.
    """

    def __init__(self, plan: Plan, hooks: Hooks | None = None, *, source: Source | None = None) -> None:
        self._plan = plan
        self._pictures = source
        self._hooks = hooks or Hooks()
        job = plan.job
        if not (plan.judges or plan.people or plan.votes):
            raise ConfigError(
                "nobody judges: give a model, such as --judge openai:gpt-4o-mini, --people page.html for a "
                "page on which people judge, or --votes with the files that it saved"
            )
        job.check()
        _refuse_unused(plan, has_pictures=bool(job.input_path) or source is not None)
        if plan.people:
            check_ballot(plan.people)
        self._output = local_path(job.output_path or DEFAULT_OUTPUT)
        if is_remote(self._output) or is_remote(job.run.state or ""):
            raise ConfigError("a judgment is local: give local paths as --output-path and --state")
        if Path(self._output).suffix.lower() not in _FORMATS:
            raise ConfigError(f"a judgment is .html, .json or .csv: change the suffix of {self._output}")
        if plan.people and Path(plan.people).resolve() == Path(self._output).resolve():
            raise ConfigError(f"--people and --output-path are both {plan.people}: change one of them")
        self._outputs = parse_outputs(plan.outputs)
        self._folder = _state_of(self._output, job.run.state)
        if is_state_of_run(str(self._folder)):
            raise ConfigError(f"{self._folder} holds the state of a run: give --state another folder")
        paths = run_paths(job.input_path, self._output, job.run.state)
        refuse_overlap(paths, "", [split_choice(output)[0] for output in self._outputs.values()])

    async def estimate(self) -> Estimate:
        """Judge a few games or captions, and scale up; raises as ``cutline.engine.preview.estimate``."""
        job = self._judge_job()
        await check_judge(job, self._plan.key)
        contest, games = await asyncio.to_thread(self._contest)
        self._warn(contest)
        source = self._source(contest, games)
        if not source.count():
            raise ConfigError("all captions are equal: no requests are needed")
        return await estimate(job, key=self._plan.key, say=self._hooks.message, source=source)

    async def run(self, stop: Stop | None = None) -> Judgment:
        """Raises as ``run_job``."""
        plan, job = self._plan, self._judge_job()
        if plan.judges:
            await check_judge(job, plan.key)
        contest, games = await asyncio.to_thread(self._contest)
        self._warn(contest)
        votes = await asyncio.to_thread(read_votes, plan.votes, contest) if plan.votes else None
        ballot = await self._write_ballot(contest, games) if plan.people else 0
        if not plan.judges and votes is None:
            code = 0 if contest.is_complete or plan.allow_missing else EXIT_FAILURES
            return Judgment(
                ballot=ballot, notes=contest.notes(), is_complete=contest.is_complete, exit_code=code
            )
        with State(self._folder, self._output) as state:
            report = ReportFile(state, Path(self._output), what="a judgment")
            hook = self._hooks.progress
            source = self._source(contest, games)
            replies, ran = await replies_to(
                source,
                job,
                folder=self._folder,
                key=plan.key,
                progress=hook,
                stop=stop,
                batch=plan.batch,
            )
            judgment = self._judgment(contest, games, replies, votes, ran)
            if ran is None or ran.stopped is None:
                report.write(await self._rendered(judgment, contest, games))
        code = judgment.exit_code
        if not (judgment.is_complete or plan.allow_missing):
            code = code or EXIT_FAILURES
        return dataclasses.replace(judgment, output=self._output, ballot=ballot, exit_code=code)

    def _warn(self, contest: Contest) -> None:
        """Warn, before anything is paid, of contestants that would judge themselves."""
        if self._plan.judges:
            for line in self_judged(contest.models, {self._plan.job.model.model}):
                self._hooks.message(f"warning: {line}")

    def _judge_job(self) -> Job:
        return judge_job(self._plan.job, rubric.PROMPT if self._plan.rubric else PROMPT)

    def _source(self, contest: Contest, games: Schedule) -> Source:
        if not self._plan.judges:
            return GameSource(contest, ())
        return rubric.RubricSource(contest) if self._plan.rubric else GameSource(contest, games.games)

    def _judgment(
        self,
        contest: Contest,
        games: Schedule,
        replies: Mapping[str, JudgeReply],
        votes: Votes | None,
        report: Report | None,
    ) -> Judgment:
        plan = self._plan
        plays, rates = plan.judges and not plan.rubric, plan.judges and plan.rubric
        played = played_games(games, replies) if plays else []
        ratings = rubric.ratings_of(contest, replies) if rates else []
        return judgment_of(
            contest,
            played=played,
            ratings=ratings,
            people=None if votes is None else people_of(votes, contest.names, games.equal, played),
            judge=plan.job.model.model if plan.judges else "",
            report=report,
            warnings=() if votes is None else votes.warnings,
        )

    async def _write_ballot(self, contest: Contest, games: Schedule) -> int:
        pictures = {one.picture: contest.samples[one.picture] for one in games.games}
        if not pictures:
            raise ConfigError("all captions are equal: there are no pairs to vote on")
        self._hooks.message(f"loading {plural(len(pictures), 'picture')} for {self._plan.people}")
        thumbnails = await load_thumbnails(pictures, ballot_side(len(pictures)), self._plan.job)
        return await asyncio.to_thread(write_ballot, self._plan.people, contest, games, thumbnails)

    def _contest(self) -> tuple[Contest, Schedule]:
        contest = read_contest(self._outputs, self._plan.job, self._pictures)
        return contest, schedule(contest)

    async def _rendered(self, judgment: Judgment, contest: Contest, games: Schedule) -> bytes:
        suffix = Path(self._output).suffix.lower()
        if suffix == ".csv":
            return as_csv(judgment)
        if suffix == ".json":
            return as_json(judgment)
        keys = {one.picture for one in (*games.equal, *games.games)}
        keys |= {one.picture for one in judgment.ratings}
        shown = [key for key in contest.samples if key in keys][:PAGE_PICTURES]
        pictures = {key: contest.samples[key] for key in shown}
        thumbnails = await load_thumbnails(pictures, side_for(len(pictures)), self._plan.job)
        made = dt.datetime.now().astimezone()
        return (
            await asyncio.to_thread(as_html, judgment, contest, thumbnails, total=len(keys), made=made)
        ).encode()


def _state_of(output: str, chosen: str | None) -> Path:
    """The state folder of a result, shared by all its formats, so that no game is paid for again."""
    own = state_folder(output, chosen)
    if chosen is not None or own.exists():
        return own
    others = (state_folder(str(Path(output).with_suffix(ending)), None) for ending in _FORMATS)
    return next((one for one in others if one.is_dir() and not is_state_of_run(str(one))), own)


def _refuse_unused(plan: Plan, *, has_pictures: bool) -> None:
    """Raise ConfigError for options without effect."""
    job = plan.job
    if not has_pictures and (unused := _given(job.input) - _OF_ANY_INPUT):
        raise ConfigError(f"--{_shown(unused)} is for the pictures of --images: add it, or remove the option")
    if plan.judges:
        return
    flags = {"rubric": plan.rubric, "batch": plan.batch, "api-key": plan.key is not None}
    unused = {name for name, given in flags.items() if given}
    unused |= {name for group in (job.model, job.local, job.server, job.run) for name in _given(group)}
    unused.discard("state")
    if unused:
        raise ConfigError(f"--{_shown(unused)} is for a model that judges: add --judge MODEL, or remove it")


def _shown(names: AbstractSet[str]) -> str:
    return min(names).replace("_", "-")


def _given(group: Any) -> set[str]:
    """The names of the options that differ from their defaults."""
    default = type(group)()
    fields = (field.name for field in dataclasses.fields(group))
    return {name for name in fields if getattr(group, name) != getattr(default, name)}
