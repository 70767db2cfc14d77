"""Texts that samples have before a run, and what the policy for them decides."""

from __future__ import annotations

from cutline.engine.content import SampleContent
from cutline.engine.journal_store import JournalStore
from cutline.engine.sample_outcomes import UNWRITABLE, of_problem, unwritten
from cutline.errors import SampleError
from cutline.interfaces import Sink
from cutline.options import Existing
from cutline.records import Caption, Failure, Sample, Skip


class ExistingTexts:
    """``policy`` is that of ``--existing``; ``needed``: a prompt has the text as a variable.

    ``sink`` is the output, which may have captions already; ``journal`` has earlier runs' outcomes.
    """

    def __init__(
        self, policy: Existing | None, sink: Sink | None, journal: JournalStore | None, *, needed: bool
    ) -> None:
        self._policy = policy
        self._sink = sink
        self._journal = journal
        self._needed = needed
        self.are_own = sink is not None and sink.keeps_captions
        """Whether the texts are captions in the output."""

    def decide(self, sample: Sample, content: SampleContent) -> Skip | Failure | str | None:
        """The outcome that the source or the policy decides, else the text; None where there is none.

        Raises:
            SampleError: the text cannot be read.
        """
        if sample.problem is not None:
            return of_problem(sample, sample.problem, content.id())
        if (refused := self.unwritable(sample) or self._unreadable(sample)) is not None:
            return refused
        earlier = self._journal.earlier(sample.key) if self._journal is not None else None
        if isinstance(earlier, Caption):  # the existing text is the caption of an earlier run
            return earlier.existing or ""
        text = self._sink.existing_text(sample) if self._sink is not None else sample.text
        is_kept = self._policy == "skip" or (self._policy is None and self.are_own)
        if is_kept and (text or (sample.text_problem and not self.are_own)):
            return Skip(key=sample.key, reason="captioned already")
        return text or None

    def unwritable(self, sample: Sample, text: str | None = None) -> Skip | Failure | None:
        """The outcome of a sample whose caption the output cannot hold; None where it can."""
        if self._sink is not None:
            try:
                self._sink.check_write(sample, text)
            except SampleError as error:
                return unwritten(sample, error)
        return None

    def _unreadable(self, sample: Sample) -> Skip | Failure | None:
        """The outcome of a sample whose text is needed and cannot be read; None if it may stay unread."""
        joins = self._policy in {"append", "prepend"}
        if sample.text_problem and (self._needed or (joins and not self.are_own)):
            return unwritten(sample, SampleError(UNWRITABLE, sample.text_problem))
        return None
