"""Results of a model for pictures: captions to accept or reject, and failures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence

from cutline.dataset.contents import FAILURE, PROPOSAL
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo
from cutline.dataset.scan import Entry
from cutline.dataset.stored_values import StoredValues
from cutline.errors import SampleError
from cutline.formatting import plural

FindChange = Callable[[Entry, str | None], tuple[Change, str | None]]
"""The change that sets a picture's caption, and the current caption; raises SampleError."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A caption proposed by a model to replace ``before``, None for no caption."""

    caption: str
    model: str = ""
    prompt_id: str = ""
    before: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionFailure:
    """Why a model failed on a picture, valid while its caption is ``before``."""

    kind: str
    message: str
    model: str = ""
    before: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelOutput:
    """The results of a model, by row.

    ``write``: they replace the captions that they were made for; if such a caption has changed, or cannot be
    replaced, the result becomes a proposal.
    """

    captions: Mapping[int, Proposal] = dataclasses.field(default_factory=dict)
    failures: Mapping[int, CaptionFailure] = dataclasses.field(default_factory=dict)
    write: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ProposalChanges:
    """An edit and its changes, and why some pictures have none."""

    info: EditInfo
    changes: Sequence[Change]
    conflicts: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()


class ProposalStore:
    """The proposals and failures of pictures, and the changes to edit them."""

    def __init__(self, history: History, entries: Sequence[Entry], find_change: FindChange) -> None:
        self.proposals = StoredValues(history, PROPOSAL, Proposal)
        self.failures = StoredValues(history, FAILURE, CaptionFailure)
        self._entries, self._find_change = entries, find_change

    def failure(self, row: int, caption: str | None) -> CaptionFailure | None:
        """Why a model failed on a picture whose caption has not changed since."""
        failure = self.failures.of(self._entries[row].key)
        return failure if failure is not None and failure.before == caption else None

    def note(self, contents: Mapping[str, bytes | None]) -> None:
        """Apply an edit's changes."""
        self.proposals.note(contents)
        self.failures.note(contents)

    def put(self, output: ModelOutput) -> list[Change]:
        """The changes that store a model's results."""
        changes: list[Change] = []
        proposals: dict[str, Proposal] = {}
        for row, proposal in output.captions.items():
            entry = self._entries[row]
            change = self._written(entry, proposal) if output.write else None
            if change is None:
                proposals[entry.key] = proposal
            else:
                changes.append(change)
        changes += self.proposals.changes(proposals)
        changes += self.failures.removals(self._entries[row].key for row in output.captions)
        failures = {self._entries[row].key: failure for row, failure in output.failures.items()}
        return changes + self.failures.changes(failures)

    def accept(
        self, rows: Iterable[int], texts: Mapping[int, str], seen: Mapping[int, str | None]
    ) -> ProposalChanges:
        """The changes that accept proposals.

        ``texts`` replace those of their rows. A caption that is neither the one that its proposal was made
        for nor the one in ``seen`` is a conflict.
        """
        changes: list[Change] = []
        conflicts, failed, sources, last = [], [], set(), ""
        for row in rows:
            entry = self._entries[row]
            proposal = self.proposals.of(entry.key)
            if proposal is None:
                continue
            try:
                change, found = self._find_change(entry, texts.get(row, proposal.caption))
            except SampleError as error:
                failed.append((entry.key, str(error)))
                continue
            if found not in {proposal.before, seen.get(row, proposal.before)}:
                conflicts.append(entry.key)
                continue
            sources.add((proposal.model, proposal.prompt_id))
            changes += [change, *self.proposals.removals([entry.key])]
            last = entry.key
        model, prompt = next(iter(sources)) if len(sources) == 1 else ("", "")
        count = len(changes) // 2
        what = f"the proposal for {last}" if count == 1 else plural(count, "proposal")
        info = EditInfo(
            kind="accept",
            summary=f"accept {what}{', changed' if texts else ''}",
            author="person" if texts else "",
            model=model,
            prompt_id=prompt,
        )
        return ProposalChanges(info=info, changes=changes, conflicts=tuple(conflicts), failed=tuple(failed))

    def reject(self, rows: Iterable[int]) -> list[Change]:
        return self.proposals.removals(self._entries[row].key for row in rows)

    def _written(self, entry: Entry, proposal: Proposal) -> Change | None:
        """None where the caption stays, and the new one becomes a proposal."""
        try:
            change, found = self._find_change(entry, proposal.caption)
        except SampleError:
            return None
        return change if found == proposal.before else None
