"""Measure all pictures of an input before anything is paid, and leave out what its rules reject."""

from __future__ import annotations

import array
import asyncio
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cutline.engine.cancellation import Stop
from cutline.engine.measure_store import MeasureStore
from cutline.engine.measurement import UNREAD, Measurement
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.remote_measures import MEASURES
from cutline.filters.selection import (
    KEPT,
    NEAR,
    Decisions,
    Measured,
    PictureRules,
    decide,
    refuse_nothing_left,
)
from cutline.formatting import plural
from cutline.interfaces import MeasureOptions, Source
from cutline.job import Job
from cutline.locations.fetched import FetchedPictures
from cutline.records import JSON, Problem, Sample
from cutline.sources.wrapper import SourceWrapper
from cutline.worker_threads import in_thread


def rules_of(job: Job, *, decode: bool = False) -> PictureRules:
    """The job's rules about pictures; raises as ``PictureRules.of``."""
    filters = job.filters
    options = MeasureOptions(
        classifier=filters.classifier,
        aesthetic_model=filters.aesthetic_model,
        aesthetic_head=filters.aesthetic_head,
        device=job.local.device,
    )
    return PictureRules.of(filters.keep, filters.dedup, options, decode=decode)


class Selection:
    """What was measured of an input, and what its rules reject.

    Places number the pictures that could be opened, in the order of the input; ``failed`` are the rows of
    the store with the others. ``moved`` are keys of pictures that earlier calls took out of the input.
    """

    def __init__(
        self, store: MeasureStore, rules: PictureRules, order: array.array[int], moved: Sequence[str] = ()
    ) -> None:
        listed = np.frombuffer(order, dtype=np.int64) if order else np.zeros(0, dtype=np.int64)
        listed = listed[listed != UNREAD]
        failed = np.fromiter(map(store.failed, listed.tolist()), dtype=bool, count=len(listed))
        self.store = store
        self.rows = listed[~failed]
        self.failed = listed[failed]
        measured: Measured = store.measured(self.rows)
        self.values_by_name = measured.values
        rows = {store.row(key) for key in moved} - {None, *listed.tolist()}
        gone = np.array([row for row in rows if row is not None and not store.failed(row)], dtype=np.int64)
        self.moved = len(gone)
        self.decisions: Decisions = decide(rules, measured, store.measured(gone).values)
        self._places = np.full(len(store), UNREAD)
        self._places[self.rows] = np.arange(len(self.rows))

    @property
    def kept(self) -> int:
        """How many pictures are kept, without those that cannot be opened."""
        return int((self.decisions.reasons == KEPT).sum())

    @property
    def rejected(self) -> int:
        return len(self.rows) - self.kept

    def place(self, key: str) -> int | None:
        """The place of a picture; None for one that was not measured, or cannot be opened."""
        row = self.store.row(key)
        place = UNREAD if row is None else int(self._places[row])
        return None if place == UNREAD else place

    def problem(self, place: int) -> Problem | None:
        """Why the picture at a place is rejected; None for one that is kept."""
        reason = int(self.decisions.reasons[place])
        if reason == KEPT:
            return None
        values, rule, kept = self.values(place), self.decisions.rule(place), ""
        if reason >= 0:
            broken = self.decisions.rules[reason]
            message = broken.why(float(self.values_by_name[broken.name][place]))
        else:
            kept = self.key(int(self.decisions.kept[place]))
            message = f"{rule} of {kept}"
            if reason == NEAR:
                values["distance"] = int(self.decisions.distance[place])
                message += f" ({values['distance']} of 256 bits differ)"
        return Problem(kind="rejected", message=message, skip=True, rule=rule, value=values, kept=kept)

    def key(self, place: int) -> str:
        """The key of the picture at a place, as files keep it."""
        return self.store.read(int(self.rows[place])).key

    def values(self, place: int) -> JSON:
        """The measures of a picture by name; None where it has none."""
        found = {name: float(column[place]) for name, column in self.values_by_name.items()}
        return {name: None if np.isnan(value) else value for name, value in found.items()}


class SelectedSource(SourceWrapper):
    """As ``source``, which has all pictures, with a skip for each rejected one: its rule and measures."""

    def __init__(self, source: Source, selection: Selection) -> None:
        super().__init__(source)
        self.selection = selection

    def samples(self) -> Iterator[Sample]:
        for sample in self.source.samples():
            yield self.selected(sample)

    def selected(self, sample: Sample) -> Sample:
        """The sample, or a skip in its place."""
        place = None if sample.location is None else self.selection.place(sample.key)
        problem = None if place is None else self.selection.problem(place)
        if problem is None:
            return sample
        # The origin is part of the content id: an output with another reason is written again.
        problem = dataclasses.replace(problem, path=sample.path)
        return dataclasses.replace(sample, location=None, problem=problem, origin=problem.message)

    def shards(self, count: int) -> Sequence[Source]:
        return [SelectedSource(shard, self.selection) for shard in self.source.shards(count)]

    @property
    def warnings(self) -> Sequence[str]:
        return (*self.source.warnings, *self.remarks)

    @property
    def remarks(self) -> Sequence[str]:
        """The lines about the rules."""
        return summary_lines(self.selection.decisions)


def summary_lines(decisions: Decisions) -> list[str]:
    """What a user should know about rules that reject nothing, or do not apply to some pictures."""
    lines = []
    for rule in decisions.rules:
        missing = decisions.without.get(rule.name, 0)
        if missing:
            lines.append(f"--keep {rule}: {plural(missing, 'picture')} without {rule.name} kept")
        measured = len(decisions.reasons) - missing
        if rule.percent is not None and measured * rule.percent < 100:
            share = f"{rule.percent:g} % of {plural(measured, 'picture')}"
            lines.append(f"--keep {rule} rejects nothing: {share} is less than one")
    return lines


async def select(
    job: Job,
    rules: PictureRules,
    source: Source,
    folder: Path,
    *,
    progress: ProgressHook = lambda _: None,
    stop: Stop | None = None,
    fetched: FetchedPictures | None = None,
) -> Source:
    """The source with what the rules reject as skips; the same one without rules, or if it is stopped.

    What is downloaded to be measured goes to ``fetched``.

    Raises:
        ConfigError: a measure cannot run, or no picture is left.
        SourceError: the input cannot be listed; SinkError: the state folder cannot be written.
    """
    if not rules:
        return source
    selection = await measure_input(
        job, rules, source, folder, progress=progress, stop=stop or Stop(), fetched=fetched
    )
    if selection is None:
        return source
    refuse_nothing_left(selection.decisions)
    return SelectedSource(source, selection)


async def measure_input(
    job: Job,
    rules: PictureRules,
    source: Source,
    folder: Path,
    *,
    progress: ProgressHook,
    stop: Stop,
    moved: Sequence[str] = (),
    fetched: FetchedPictures | None = None,
) -> Selection | None:
    """Measure what the state folder lacks, and decide; None if it is stopped; raises as ``select``.

    ``moved``: see ``Selection``; ``fetched`` as for ``select``.
    """
    loop = asyncio.get_running_loop()

    def say(line: str) -> None:
        loop.call_soon_threadsafe(progress, Progress(waiting_for=line))

    store = MeasureStore(folder / MEASURES, rules.measures)
    try:
        await in_thread(store.load)
        for measure in rules.measures:
            await in_thread(measure.open, say)
        work = Measurement(job, rules, store, progress, stop, fetched)
        await work.run(source)
        if stop.requested:
            return None
        return await in_thread(Selection, store, rules, work.order, moved)
    finally:
        store.close()
