"""Which samples a run of a job would still caption, read from what earlier runs left; nothing is written."""

from __future__ import annotations

from collections.abc import Iterator

from cutline.chain import Chain
from cutline.engine import assembly, job_output
from cutline.engine.content import reader_for
from cutline.engine.existing_texts import ExistingTexts
from cutline.engine.journal import Journal
from cutline.engine.resume import known_outcome
from cutline.engine.stage_runner import StageRunner
from cutline.engine.state import open_state
from cutline.errors import SampleError
from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import Failure, Sample, Skip


class UnfinishedSamples:
    """The samples without an outcome of earlier runs, and without a text that the job keeps.

    ``done`` and ``failed`` count the outcomes that stay, ``texts`` the kept texts, of the samples looked at.
    The state of a remote output is that which this machine has. A context manager; methods block.

    Raises:
        JobChanged: the run would refuse, as earlier outcomes were made with other settings.
        ConfigError: the output does not suit the job.
    """

    def __init__(self, job: Job, chain: Chain, stages: StageRunner, source: Source) -> None:
        output = job_output.output_of(job)
        state = open_state(output, job.run.state)
        self._journal = Journal(state.folder / "journal.jsonl", read_only=True)
        self._journal.load()
        assembly.begin_journal(self._journal, job, assembly.fingerprint_of(job, chain, stages), chain, stages)
        sink = job_output.sink_of(job, output, state, chain, source)
        self._contents = reader_for(chain, sink)
        self._texts = ExistingTexts(job.output.existing, sink, self._journal, needed=False)
        self.decides = self._journal.has_history or job.output.existing == "skip" or self._texts.are_own
        """Whether any sample can have an outcome already."""
        self.done = self.failed = self.texts = 0

    def close(self) -> None:
        self._journal.close()

    def left(self, samples: Iterator[Sample]) -> Iterator[Sample]:
        """Those that are left; what rules reject is not among them."""
        for sample in samples:
            if (sample.problem is None or not sample.problem.rule) and not self._is_done(sample):
                yield sample

    def _is_done(self, sample: Sample) -> bool:
        outcome = known_outcome(sample, self._journal, self._contents)
        if outcome is not None:
            self.done += 1
            self.failed += isinstance(outcome, Failure)
            return True
        try:
            kept = isinstance(self._texts.decide(sample, self._contents.content(sample)), Skip)
        except SampleError:
            return False
        self.texts += kept
        return kept
