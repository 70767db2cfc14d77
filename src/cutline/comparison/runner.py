"""Run a comparison: caption with every candidate, read the captions, write the report."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from cutline import registry
from cutline.comparison.candidate_results import answers_about, candidate_answers, candidate_result
from cutline.comparison.candidate_runs import (
    Cancellation,
    CandidateRun,
    CandidateRunner,
    Hooks,
    check_candidates,
)
from cutline.comparison.candidates import Candidate, parse_candidates, parse_judge
from cutline.comparison.judge import MEANING, PREFERRED, ComparisonJudge, with_judgment
from cutline.comparison.page import rendered
from cutline.comparison.results import Comparison
from cutline.comparison.scores import PictureScorer, ScoredPicture
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.overlap import refuse_overlap, run_paths
from cutline.engine.recorded_captions import Answers, read_answers, samples_in, unreadable_rows
from cutline.engine.report import EXIT_FAILURES, EXIT_INTERRUPTED, EXIT_OK, Interrupted
from cutline.engine.report_file import ReportFile
from cutline.engine.state import State, state_folder
from cutline.errors import ConfigError
from cutline.evaluation.reference_scores import ReferenceScorer, ReferenceScores
from cutline.formatting import stored_key, without_signatures
from cutline.imaging.thumbnails import side_for
from cutline.interfaces import Metric, Source
from cutline.job import Job
from cutline.locations.loader import PictureLoader
from cutline.options import RunOptions
from cutline.records import Sample
from cutline.serialization import valid_unicode
from cutline.sinks.chosen_captions import split_choice
from cutline.sources.outputs import is_state_of_run
from cutline.storage import is_remote, local_path

IMAGE_LIMIT = 50
"""Pictures that are compared by default: as many as a person looks at."""

DEFAULT_OUTPUT = "comparison.html"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared: ``candidates`` as on the command line, ``job`` with the options of all of them.

    ``blind`` hides the names behind a click, ``references`` is a file of what people wrote. The job's
    ``output_path`` is the report's, and the similarity model of its checks measures every candidate,
    whether or not they drop anything. ``judge`` is a model that judges their captions. With
    ``allow_missing`` rows that cannot be read, and pictures and references without each other, are no fault.
    """

    candidates: Sequence[str]
    job: Job
    key: Secret | None = None
    blind: bool = False
    references: str | None = None
    judge: str = ""
    allow_missing: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonRun:
    """``comparison`` is None when it was interrupted: then no report was written.

    ``exit_code`` is the highest of the runs'; see docs/cli.md. ``is_lacking``: not all that was given could
    be compared.
    """

    output: str
    state: str
    comparison: Comparison | None
    exit_code: int
    is_lacking: bool = False


@dataclasses.dataclass(kw_only=True)
class ComparisonRunner:
    """Captions the same pictures with every candidate and writes the report.

    The same call continues an earlier one: every candidate keeps a journal. ``source`` replaces the
    job's input.

    Raises:
        ConfigError: the comparison is not possible; nothing was requested.
    """

    plan: Plan
    source: Source | None = None
    hooks: Hooks = dataclasses.field(default_factory=Hooks)
    cancellation: Cancellation = dataclasses.field(default_factory=Cancellation)

    def __post_init__(self) -> None:
        job = self.plan.job
        self._output = local_path(job.output_path or DEFAULT_OUTPUT)
        if is_remote(self._output):
            raise ConfigError(
                "a comparison is written on this machine: give --output-path the path of a file"
            )
        if job.run.state is not None and is_remote(job.run.state):
            raise ConfigError("a comparison is kept on this machine: give --state the path of a folder")
        if Path(self._output).suffix.lower() not in {".html", ".htm", ".json", ".csv"}:
            raise ConfigError(f"a comparison is .html, .json or .csv: change the suffix of {self._output}")
        checks, measured_by = job.checks, job.checks.similarity_model
        # Candidates have journals of their own; the report's options do not apply to them.
        if checks.min_similarity is None:
            checks = dataclasses.replace(checks, similarity_model=None)
        options = dataclasses.replace(job.run, state=None)
        bare = dataclasses.replace(job, output_path=None, checks=checks, run=options)
        used = frozenset({"device"} if measured_by is not None else ())
        judge = self.plan.judge
        self._candidates = parse_candidates(self.plan.candidates, bare, self.plan.key, used=used, judge=judge)
        captioning = any(candidate.job is not None for candidate in self._candidates)
        if captioning and self.source is None and not job.input_path:
            raise ConfigError("there are no pictures to caption: give --input-path")
        self._metrics: list[Metric] = []
        if measured_by is not None:
            metric = registry.load("metrics", "similarity")
            self._metrics.append(metric(measured_by, device=job.local.device))
        path = self.plan.references
        self._references = None if path is None else ReferenceScorer(path, self.hooks.message)
        self._is_lacking = False  # rows that cannot be read, pictures without references and the reverse
        self._folder = state_folder(self._output, job.run.state)
        self._judge = self._judge_of(parse_judge(judge, bare, self.plan.key)) if judge else None
        if is_state_of_run(str(self._folder)):
            raise ConfigError(f"{self._folder} holds the state of a run: give --state another folder")
        outputs = [split_choice(candidate.output)[0] for candidate in self._candidates if candidate.output]
        refuse_overlap(run_paths(job.input_path, self._output, job.run.state), "", outputs)

    async def run(self) -> ComparisonRun:
        """Run the comparison; raises as ``run_job``."""
        await self._open()
        samples = await asyncio.to_thread(self._samples)
        keys = [stored_key(valid_unicode(sample.key)) for sample in samples]
        if self._references is not None:
            place = self.plan.job.input_path or self._candidates[0].output
            limit = assembly.limit_of(self.plan.job)
            self._references.match(keys, place, is_part=limit is not None and len(keys) >= limit)
            self._is_lacking = not self._references.is_complete
        earlier = await asyncio.to_thread(self._earlier, keys)
        with State(self._folder, self._output) as state:
            report = ReportFile(state, Path(self._output), what="a comparison")
            runner = CandidateRunner(
                folder=self._folder, source=self.source, hooks=self.hooks, cancellation=self.cancellation
            )
            runs = await runner.run(self._candidates)
            if self._is_cancelled():
                return self._ended(None)
            answers = await asyncio.to_thread(candidate_answers, runs, earlier, keys)
            comparison = await self._compared(samples, runs, answers, runner.remaining(self.plan.job.run))
            if comparison is None:
                return self._ended(None)
            report.write(await asyncio.to_thread(rendered, comparison, self._output, blind=self.plan.blind))
        exit_code = max((run.exit_code for run in runs), default=EXIT_OK)
        if self._is_lacking and not self.plan.allow_missing:
            exit_code = max(exit_code, EXIT_FAILURES)
        if comparison.judgment is not None:
            exit_code = max(exit_code, comparison.judgment.exit_code)
        return self._ended(comparison, exit_code)

    async def _open(self) -> None:
        """Find what cannot run before anything is paid for; raises ConfigError."""
        await check_candidates(self._candidates)
        if self._judge is not None:
            await self._judge.check()
        for metric in self._metrics:
            await metric.open(self.hooks.message)

    async def _compared(
        self,
        samples: Sequence[Sample],
        runs: Sequence[CandidateRun],
        answers: Sequence[Answers],
        options: RunOptions | None,
    ) -> Comparison | None:
        """The figures of all candidates; None once it is cancelled. ``options`` has the judge's budgets."""
        for metric in self._metrics:
            self.hooks.message(f"measuring the {metric.name} of {len(samples):,} pictures")
        scored = await self._score(samples, answers)
        if self._is_cancelled():
            return None
        answers = [answers_about(one, scored) for one in answers]
        scores = [{one.picture.key: one.scores[place] for one in scored} for place in range(len(runs))]
        found = await asyncio.to_thread(self._against_references, answers)
        results = tuple(map(candidate_result, self._candidates, runs, answers, scores, found))
        metrics, judgment = self._meanings(), None
        if self._judge is not None:
            judgment = await self._judge.run(self._candidates, answers, samples, options)
            results, metrics[PREFERRED] = with_judgment(results, judgment), MEANING
        if self._is_cancelled():
            return None
        return Comparison(
            input=without_signatures(self.plan.job.input_path),
            total=await asyncio.to_thread(self._count, len(samples)),
            candidates=results,
            pictures=tuple(one.picture for one in scored),
            metrics=metrics,
            judgment=judgment,
        )

    def _judge_of(self, judge: Candidate) -> ComparisonJudge:
        return ComparisonJudge(
            judge=judge, folder=self._folder, hooks=self.hooks, cancellation=self.cancellation
        )

    def _against_references(self, answers: Sequence[Answers]) -> list[ReferenceScores]:
        if self._references is None:
            return [ReferenceScores() for _ in answers]
        captions = [
            {key: answer.text for key, answer in one.by_key.items() if not answer.problem} for one in answers
        ]
        self.hooks.message("measuring captions against references")
        return self._references.score(captions)

    def _meanings(self) -> dict[str, str]:
        own = {metric.name: metric.meaning for metric in self._metrics}
        return own if self._references is None else own | self._references.meanings

    def _is_cancelled(self) -> bool:
        return self.cancellation.reason is not None

    def _ended(self, comparison: Comparison | None, exit_code: int = EXIT_INTERRUPTED) -> ComparisonRun:
        if comparison is None and isinstance(self.cancellation.reason, Interrupted):
            exit_code = 128 + self.cancellation.reason.signal
        return ComparisonRun(
            output=self._output,
            state=str(self._folder),
            comparison=comparison,
            exit_code=exit_code,
            is_lacking=self._is_lacking,
        )

    def _samples(self) -> list[Sample]:
        """The pictures that are compared.

        Raises:
            ConfigError, SourceError: there are none.
        """
        job = self.plan.job
        limit = assembly.limit_of(job)
        if self.source is None and not job.input_path:
            samples = samples_in(self._candidates[0].output, limit)
        else:
            samples = list(assembly.samples_of(self._opened(), limit))
        if not samples:
            raise ConfigError(f"{job.input_path or self._candidates[0].output} has no pictures to compare")
        return samples

    def _opened(self) -> Source:
        return self.source if self.source is not None else assembly.source_of(self.plan.job)

    def _earlier(self, keys: Sequence[str]) -> dict[str, Answers]:
        """The answers in the outputs among the candidates, read before any request.

        Raises:
            ConfigError: one cannot be read, or has other pictures.
        """
        outputs = [candidate.output for candidate in self._candidates if candidate.job is None]
        found = {output: read_answers(output, keys) for output in outputs}
        for output, answers in found.items():
            if not answers.by_key:
                raise ConfigError(
                    f"{output} has none of the {len(keys):,} pictures compared ({keys[0]!r} …): "
                    "was it made from another input?"
                )
            if answers.matched_by != "ids":
                self.hooks.message(f"{output} and the pictures matched by {answers.matched_by}")
            if answers.note:
                self.hooks.message(answers.note)
            if answers.damaged:
                self._is_lacking = True
                self.hooks.message(f"{output}: {unreadable_rows(answers.damaged)}")
        return found

    async def _score(self, samples: Sequence[Sample], answers: Sequence[Answers]) -> list[ScoredPicture]:
        job = self.plan.job
        scorer = PictureScorer(
            side=side_for(len(samples)),
            max_pixels=job.pictures.max_pixels,
            loader=PictureLoader(allow_private=job.input.allow_private_urls, user_agent=job.input.user_agent),
            metrics=self._metrics,
        )
        return await scorer.score(samples, answers, stopped=self._is_cancelled)

    def _count(self, compared: int) -> int | None:
        if self.source is None and not self.plan.job.input_path:
            return None
        return max(compared, count) if (count := self._opened().count()) is not None else None
