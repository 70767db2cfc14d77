"""Replies to earlier requests, which a run uses instead of calling the model."""

from __future__ import annotations

from typing import Protocol

from cutline.chain import Chain
from cutline.engine.fingerprint import Fingerprint
from cutline.engine.journal_store import JournalStore
from cutline.engine.report import Report
from cutline.engine.sample_pipeline import SamplePipeline
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import State
from cutline.interfaces import Sink
from cutline.records import JSON


class ReplySource(Protocol):
    """Replies to earlier requests, such as those of a batch."""

    chain: Chain
    fingerprint: Fingerprint

    async def open(self, state: State) -> None:
        """Fetch them while the output's folder is locked."""

    @property
    def form(self) -> JSON:
        """What decides the output besides the job; known once it is open."""

    def pipeline(
        self, rules: SampleRules, stages: StageRunner, journal: JournalStore, sink: Sink
    ) -> SamplePipeline: ...

    async def done(self, report: Report) -> None:
        """All of them are in the journal, and the output is written."""
