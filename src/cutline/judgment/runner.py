"""Judge a contest: play the games as an ordinary job, and write the result."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import hashlib
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from cutline.credentials import Secret
from cutline.engine.cancellation import Stop
from cutline.engine.overlap import output_paths, refuse_overlap
from cutline.engine.preview import Estimate, estimate
from cutline.engine.progress import ProgressHook
from cutline.engine.report import EXIT_OK, Report
from cutline.engine.report_file import ReportFile
from cutline.engine.run import run_job
from cutline.engine.state import State, state_folder
from cutline.errors import ConfigError
from cutline.imaging.thumbnails import side_for
from cutline.interfaces import Source
from cutline.job import Job
from cutline.judgment.contest import Contest, parse_outputs, read_contest
from cutline.judgment.exports import as_csv, as_json
from cutline.judgment.games import GameSource, Schedule, schedule
from cutline.judgment.page import as_html
from cutline.judgment.results import Judgment, PlayedGame, rank, self_judged
from cutline.judgment.thumbnails import load_thumbnails
from cutline.judgment.verdicts import ReplySink, played_games
from cutline.options import CheckOptions, InputOptions, OutputOptions, PromptOptions
from cutline.sources.outputs import is_state_of_run
from cutline.storage import is_remote, local_path

DEFAULT_OUTPUT = "judgment.html"
PROMPT = "judge"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is judged: ``outputs`` as on the command line, ``job`` with the judge as its model.

    The job's input has the pictures, where the outputs do not say where they are; its output is the result's.
    """

    outputs: Sequence[str]
    job: Job
    key: Secret | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """Called with lines of text, and with the progress of the job."""

    message: Callable[[str], None] = lambda _: None
    progress: ProgressHook = lambda _: None


class JudgmentRunner:
    """Judges the contest of a plan; the same call continues an earlier one, paying for no game twice.

    Raises:
        ConfigError: the contest is not possible; nothing was requested.
    """

    def __init__(self, plan: Plan, hooks: Hooks | None = None) -> None:
        self._plan = plan
        self._hooks = hooks or Hooks()
        job = plan.job
        self._output = local_path(job.output_path or DEFAULT_OUTPUT)
        if is_remote(self._output) or is_remote(job.run.state or ""):
            raise ConfigError("a judgment is kept on this machine: give --output-path and --state paths here")
        if Path(self._output).suffix.lower() not in {".html", ".htm", ".json", ".csv"}:
            raise ConfigError(f"a judgment is .html, .json or .csv: change the suffix of {self._output}")
        self._outputs = parse_outputs(plan.outputs)
        self._folder = state_folder(self._output, job.run.state)
        if is_state_of_run(str(self._folder)):
            raise ConfigError(f"{self._folder} holds the state of a run: give --state another folder")
        paths = output_paths(self._output, job.run.state)
        refuse_overlap(job.input_path, paths, "", list(self._outputs.values()))

    async def estimate(self) -> Estimate:
        """Play a few games, and scale up; raises as ``cutline.engine.preview.estimate``."""
        contest, games = await asyncio.to_thread(self._contest)
        job = judge_job(self._plan.job, PROMPT)
        return await estimate(
            job, key=self._plan.key, say=self._hooks.message, source=GameSource(contest, games.games)
        )

    async def run(self, stop: Stop | None = None) -> Judgment:
        """Raises as ``run_job``."""
        contest, games = await asyncio.to_thread(self._contest)
        with State(self._folder, self._output) as state:
            report = ReportFile(state, Path(self._output), what="a judgment")
            played, ran = await play(
                contest,
                games,
                judge_job(self._plan.job, PROMPT),
                folder=self._folder,
                key=self._plan.key,
                progress=self._hooks.progress,
                stop=stop,
            )
            judgment = judgment_of(contest, games, played, ran)
            if ran is None or ran.stopped is None:
                report.write(await self._rendered(judgment, contest))
        return dataclasses.replace(judgment, output=self._output)

    def _contest(self) -> tuple[Contest, Schedule]:
        contest = read_contest(self._outputs, self._plan.job)
        return contest, schedule(contest)

    async def _rendered(self, judgment: Judgment, contest: Contest) -> bytes:
        suffix = Path(self._output).suffix.lower()
        if suffix == ".csv":
            return as_csv(judgment)
        if suffix == ".json":
            return as_json(judgment)
        pictures = {one.game.picture: contest.samples[one.game.picture] for one in judgment.played}
        thumbnails = await load_thumbnails(pictures, side_for(len(pictures)), self._plan.job)
        made = dt.datetime.now().astimezone()
        return (await asyncio.to_thread(as_html, judgment, contest, thumbnails, made=made)).encode()


def judge_job(job: Job, prompt: str) -> Job:
    """The job that judges, with the model and limits of ``job`` and none of its options for captions."""
    if job.model.chain is not None or job.model.step:
        raise ConfigError("a judge is one model: give it as --judge MODEL, without --chain and --step")
    own = job.input
    return dataclasses.replace(
        job,
        input=InputOptions(allow_private_urls=own.allow_private_urls, user_agent=own.user_agent),
        prompts=PromptOptions(prompt=(prompt,)),
        checks=CheckOptions(),
        output=OutputOptions(),
        run=dataclasses.replace(job.run, state=None),
    )


async def play(
    contest: Contest,
    games: Schedule,
    job: Job,
    *,
    folder: Path,
    key: Secret | None = None,
    progress: ProgressHook | None = None,
    stop: Stop | None = None,
) -> tuple[list[PlayedGame], Report | None]:
    """Play the games that ``job``, which has the judge, has no verdict on yet; raises as ``run_job``.

    ``folder`` keeps the journal of each judge. The report is None where no game needs a question.
    """
    replies, report = await _replies(GameSource(contest, games.games), job, folder, key, progress, stop)
    return played_games(games, replies.replies), report


async def _replies(
    source: Source,
    job: Job,
    folder: Path,
    key: Secret | None,
    progress: ProgressHook | None,
    stop: Stop | None,
) -> tuple[ReplySink, Report | None]:
    sink = ReplySink()
    if not source.count():
        return sink, None
    place = folder / _folder_name(job) / "replies.jsonl"
    await asyncio.to_thread(place.parent.mkdir, parents=True, exist_ok=True)
    report = await run_job(
        dataclasses.replace(job, input_path="", output_path=str(place)),
        source=source,
        key=key,
        progress=progress,
        stop=stop,
        sink=sink,
    )
    return sink, report


def _folder_name(job: Job) -> str:
    """A readable folder name, its own for each judge and prompt."""
    name = f"{job.model.model} {job.prompts.prompt[0]}"
    plain = re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip("._")[:60]
    return f"{plain}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def judgment_of(
    contest: Contest, games: Schedule, played: Sequence[PlayedGame], report: Report | None
) -> Judgment:
    """The figures of the games."""
    ranking = rank(contest.names, played)
    judge = report.job.model.model if report is not None else ""
    models = {one.model for one in played} - {""}
    warnings = [
        *(ranking.warnings() if ranking is not None else ()),
        *self_judged({one.name: one.models for one in contest.contestants}, {judge, *models}),
    ]
    if games.changed:
        warnings.append(
            f"{games.changed:,} pairs are about different versions of a picture, and were left out: caption "
            "the pictures that are there with both"
        )
    return Judgment(
        judge=judge,
        ranking=ranking,
        played=played,
        warnings=tuple(warnings),
        missing={
            one.name: sum(key not in one.captions for key in contest.samples) for one in contest.contestants
        },
        exit_code=EXIT_OK if report is None else report.exit_code,
        stopped="" if report is None or report.stopped is None else str(report.stopped),
        cost=None if report is None else report.cost,
        tokens=0 if report is None else report.spent.total,
    )
