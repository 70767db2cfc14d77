"""One comparison from start to end: ask who has to be asked, gather what all said, write the report."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cutline import registry
from cutline.comparison.candidates import Candidate, contestants_of
from cutline.comparison.captions import Answers, cost_of_run, read_answers, samples_in
from cutline.comparison.exports import as_csv, as_json
from cutline.comparison.page import as_html, blinded
from cutline.comparison.results import Comparison, Entrant
from cutline.comparison.runs import Asked, Halt, Watching, ask, check
from cutline.comparison.scores import Seeing, Seen
from cutline.comparison.statistics import figures_of, mean
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.report import EXIT_INTERRUPTED, EXIT_OK, Interrupted
from cutline.engine.state import State, state_folder
from cutline.errors import ConfigError, OutputExists
from cutline.files import write_atomically, write_errors
from cutline.imaging.thumbnails import side_for
from cutline.interfaces import Metric, Source
from cutline.job import Job
from cutline.locations.loader import PictureLoader
from cutline.records import Sample
from cutline.serialization import valid_unicode
from cutline.storage import is_remote

IMAGE_LIMIT = 50
"""Pictures that are compared when nobody says how many: as many as a person looks at."""

DEFAULT_OUTPUT = "comparison.html"
_MARK = "comparison.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is compared: ``words`` name the contestants, ``job`` has what is the same for all of them.

    ``blind`` hides who is who behind a click. The job's ``output_path`` is the report's, and the
    similarity model of its checks measures every contestant, whether or not they drop anything.
    """

    words: Sequence[str]
    job: Job
    key: Secret | None = None
    blind: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """``comparison`` is None when it was interrupted: then no report was written.

    ``exit_code`` is the gravest of the runs'; see docs/cli.md.
    """

    output: str
    state: str
    comparison: Comparison | None
    exit_code: int


async def run_comparison(
    plan: Plan,
    *,
    source: Source | None = None,
    watching: Watching | None = None,
    halt: Halt | None = None,
) -> Ended:
    """Ask every contestant about the same pictures and write the report.

    The same call goes on where an earlier one stopped: every contestant keeps a journal.
    ``source`` takes the place of the one the job's input names.

    Raises:
        ConfigError: the comparison cannot be made; nothing was asked.
        CutlineError: as ``run_job``.
    """
    run = _Run(plan, source, watching or Watching(), halt or Halt())
    return await run.run()


class _Run:
    def __init__(self, plan: Plan, source: Source | None, watching: Watching, halt: Halt) -> None:
        self._plan = plan
        self._watching = watching
        self._halt = halt
        self._output = plan.job.output_path or DEFAULT_OUTPUT
        _check_output(self._output)
        # What is asked goes to journals of its own; the report's options are none of theirs.
        checks = plan.job.checks
        if checks.min_similarity is None:
            checks = dataclasses.replace(checks, similarity_model=None)
        run = dataclasses.replace(plan.job.run, state=None)
        bare = dataclasses.replace(plan.job, output_path=None, checks=checks, run=run)
        measuring = plan.job.checks.similarity_model is not None
        used = frozenset({"device"} if measuring else ())  # by the model that measures
        self._contestants = contestants_of(plan.words, bare, plan.key, used=used)
        self._source = source
        asked = any(contestant.job is not None for contestant in self._contestants)
        if asked and source is None and not plan.job.input_path:
            raise ConfigError("there are no pictures to ask about: give --input-path")
        checks = plan.job.checks
        self._metrics: list[Metric] = []
        if checks.similarity_model is not None:
            metric = registry.load("metrics", "similarity")
            self._metrics.append(metric(checks.similarity_model, device=plan.job.local.device))
        self._folder = state_folder(self._output, plan.job.run.state)

    async def run(self) -> Ended:
        await check(self._contestants)
        for metric in self._metrics:
            await metric.open(self._watching.say)
        samples = await asyncio.to_thread(self._samples)
        keys = [valid_unicode(sample.key) for sample in samples]
        earlier = await asyncio.to_thread(self._earlier, keys)
        with State(self._folder, self._output) as state:
            ownership = _Ownership(state, Path(self._output))
            asked = await ask(
                self._contestants,
                self._folder,
                source=self._source,
                watching=self._watching,
                halt=self._halt,
            )
            if self._is_halted():
                return self._interrupted()
            answers = await asyncio.to_thread(_answers, asked, earlier, keys)
            for metric in self._metrics:
                self._watching.say(f"measuring the {metric.name} of {len(samples):,} pictures")
            seen = await self._see(samples, answers)
            if self._is_halted():
                return self._interrupted()
            scores = [{one.shown.key: one.scores[place] for one in seen} for place in range(len(asked))]
            entrants = map(_entrant, self._contestants, asked, answers, scores)
            comparison = Comparison(
                input=self._plan.job.input_path,
                total=await asyncio.to_thread(self._count, len(samples)),
                entrants=tuple(entrants),
                pictures=tuple(one.shown for one in seen),
                metrics={metric.name: metric.meaning for metric in self._metrics},
            )
            ownership.write(await asyncio.to_thread(self._rendered, comparison))
        return self._ended(comparison, max((one.exit_code for one in asked), default=EXIT_OK))

    def _is_halted(self) -> bool:
        return self._halt.reason is not None

    def _interrupted(self) -> Ended:
        reason = self._halt.reason
        code = 128 + reason.signal if isinstance(reason, Interrupted) else EXIT_INTERRUPTED
        return self._ended(None, code)

    def _ended(self, comparison: Comparison | None, exit_code: int) -> Ended:
        return Ended(output=self._output, state=str(self._folder), comparison=comparison, exit_code=exit_code)

    def _samples(self) -> list[Sample]:
        """The pictures that are compared.

        Raises:
            ConfigError, SourceError: there are none.
        """
        job = self._plan.job
        limit = assembly.limit_of(job)
        if self._source is None and not job.input_path:
            samples = samples_in(self._contestants[0].output, limit)
        else:
            samples = list(assembly.samples_of(self._opened(), limit))
        if not samples:
            raise ConfigError(f"{job.input_path or self._contestants[0].output} has no pictures to compare")
        return samples

    def _opened(self) -> Source:
        return self._source if self._source is not None else assembly.source_of(self._plan.job)

    def _earlier(self, keys: Sequence[str]) -> dict[str, Answers]:
        """What the outputs among the contestants hold, read before anybody is asked.

        Raises:
            ConfigError: one cannot be read, or is about other pictures.
        """
        outputs = [contestant.output for contestant in self._contestants if contestant.job is None]
        found = {output: read_answers(output, keys) for output in outputs}
        for output, answers in found.items():
            if not answers.by_key:
                raise ConfigError(
                    f"{output} has none of the {len(keys):,} pictures compared ({keys[0]!r} …): "
                    "was it made from another input?"
                )
        return found

    async def _see(self, samples: Sequence[Sample], answers: Sequence[Answers]) -> list[Seen]:
        job = self._plan.job
        seeing = Seeing(
            side=side_for(len(samples)),
            max_pixels=job.pictures.max_pixels,
            loader=PictureLoader(allow_private=job.input.allow_private_urls),
            metrics=self._metrics,
        )
        try:
            return await seeing.all(samples, answers, stopped=self._is_halted)
        finally:
            await seeing.aclose()

    def _count(self, shown: int) -> int | None:
        if self._source is None and not self._plan.job.input_path:
            return None
        return max(shown, count) if (count := self._opened().count()) is not None else None

    def _rendered(self, comparison: Comparison) -> bytes:
        ending = Path(self._output).suffix.lower()
        if ending == ".json":
            return as_json(comparison)
        if ending == ".csv":
            return as_csv(comparison)
        now = dt.datetime.now().astimezone()
        blind = self._plan.blind
        return as_html(blinded(comparison) if blind else comparison, blind=blind, made=now).encode()


def _answers(asked: Sequence[Asked], earlier: Mapping[str, Answers], keys: Sequence[str]) -> list[Answers]:
    """What each contestant said; nothing where one was stopped before it had said anything."""
    nothing = Answers(by_key={}, model="", prompt="")
    return [
        earlier[one.output]
        if one.output in earlier
        else read_answers(one.output, keys)
        if Path(one.output).exists()
        else nothing
        for one in asked
    ]


def _entrant(
    contestant: Candidate, one: Asked, answers: Answers, scores: Mapping[str, Mapping[str, float]]
) -> Entrant:
    """A contestant with everything that is known of it."""
    cost = one.cost if contestant.job is not None else cost_of_run(one.output)
    names = sorted({name for scored in scores.values() for name in scored})
    means = {name: mean([scored[name] for scored in scores.values() if name in scored]) for name in names}
    return Entrant(
        name=contestant.name,
        model=one.model or answers.model,
        prompt=answers.prompt,
        answers=answers.by_key,
        figures=figures_of(answers.by_key.values(), cost=cost, pace=one.pace, scores=means),
        scores=scores,
        stopped=one.stopped,
    )


class _Ownership:
    """Keeps a comparison from replacing a file that no comparison wrote, or that was edited since.

    Raises:
        OutputExists: on being made, when there is such a file.
    """

    def __init__(self, state: State, path: Path) -> None:
        self._state = state
        self._path = path
        known: Mapping[str, object] = state.read(_MARK) or {}
        ours = known.get("digests")
        self._found = _digest(path.read_bytes()) if path.is_file() else ""
        if path.exists() and not (isinstance(ours, list) and self._found in ours):
            raise OutputExists(
                f"{path} is there already, and not as a comparison left it; choose another --output-path"
            )

    def write(self, data: bytes) -> None:
        # Both are ours, whichever is there if this is the last thing that happens.
        self._state.write(_MARK, {"digests": [self._found, _digest(data)]})
        with write_errors(self._path):
            write_atomically(self._path, data)


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def _check_output(output: str) -> None:
    if is_remote(output):
        raise ConfigError("a comparison is written on this machine: give --output-path the path of a file")
    if Path(output).suffix.lower() not in {".html", ".htm", ".json", ".csv"}:
        raise ConfigError(f"a comparison is .html, .json or .csv: end the name {output} in one of them")
