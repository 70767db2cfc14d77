"""Write a model's captions through the history of a dataset."""

from __future__ import annotations

import collections
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from cutline.dataset.dataset import Dataset
from cutline.dataset.proposals import CaptionFailure, ModelOutput, Proposal
from cutline.dataset.records import EditInfo
from cutline.errors import SinkError
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Failure, Outcome, Sample
from cutline.studio.generation.choice import Policy


class HistorySink(Sink):
    """Stores captions as proposals, or with ``write`` in the files; those of a run are one edit.

    ``changed`` is called with changed rows. ``kinds`` counts the failures so far, ``committed`` the pictures
    whose outcome is in the history. If a text has a caption on each line, the new one becomes another line.
    """

    resumable = True

    def __init__(
        self,
        dataset: Dataset,
        rows: Mapping[str, int],
        info: EditInfo,
        changed: Callable[[Sequence[int]], None],
        *,
        policy: Policy,
        write: bool,
    ) -> None:
        """``rows`` by their keys."""
        self._dataset, self._rows, self.info = dataset, rows, info
        self._changed = changed
        self._policy, self._write = policy, write
        self._proposed = 0
        self._count = self.committed = 0
        self._captions: dict[int, Proposal] = {}
        self._failures: dict[int, CaptionFailure] = {}
        self.kinds: collections.Counter[str] = collections.Counter()
        self.edit: int | None = None

    def check_open(self, mark: JSON | None) -> None:
        """Nothing to do."""

    def open(self, mark: JSON | None) -> None:
        self.close()
        self._count = self.committed = mark["committed"] if mark else 0

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:  # noqa: ARG002
        self._count += 1
        row = self._rows[sample.key]
        if isinstance(outcome, Caption):
            step = outcome.source
            self._captions[row] = Proposal(
                caption=self._text(outcome),
                model=self.info.model,
                prompt_id=step.prompt_id if step is not None else "",
                before=outcome.existing,
            )
        elif isinstance(outcome, Failure):
            self.kinds[outcome.kind] += 1
            self._failures[row] = CaptionFailure(
                kind=outcome.kind, message=outcome.message, model=self.info.model, before=sample.text
            )

    def commit(self) -> JSON:
        captions, failures = self._captions, self._failures
        self._captions, self._failures = {}, {}
        if captions and not self.info.prompt_id:
            prompt = next(iter(captions.values())).prompt_id
            self.info = dataclasses.replace(self.info, prompt_id=prompt)
        self._put(ModelOutput(captions=captions, failures=failures, write=self._write))
        self.committed = self._count
        return {"committed": self.committed}

    def _put(self, output: ModelOutput) -> None:
        result = self._dataset.add_output(output, self.info, self.edit)
        self.edit = result.id or self.edit
        if result.failed:
            raise SinkError(f"{result.failed[0][0]}: {result.failed[0][1]}")
        if self._write:
            proposals, entries = self._dataset.proposals, self._dataset.entries
            self._proposed += sum(
                proposals.of(entries[row].key) == proposal for row, proposal in output.captions.items()
            )
        self._changed([*output.captions, *output.failures])

    def proposed(self, captions: int) -> int:
        """The number of captions that became proposals, in words."""
        return self._proposed if self._write else captions

    def _text(self, caption: Caption) -> str:
        if not self._dataset.one_a_line or caption.existing is None or caption.source is None:
            return caption.text
        new = " ".join((caption.draft or caption.source.text).split())
        old = caption.existing.split("\n")
        lines = {"append": [*old, new], "prepend": [new, *old]}.get(self._policy, [new, *old[1:]])
        return "\n".join(lines)

    def finish(self) -> None:
        self.commit()

    def close(self) -> None:
        self._captions, self._failures = {}, {}

    @property
    def outputs(self) -> list[Path | str]:
        return []
