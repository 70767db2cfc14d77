"""Carries out edits: into the history first, then into the files; finishes what an earlier process began."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from cutline.dataset.contents import CAPTION, Contents, is_caption
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo, EditResult, Status
from cutline.errors import SampleError, SinkError

Progress = Callable[[int], None]
"""Called with the number of changes that are done; an exception from it stops the edit in good order."""

Note = Callable[[Mapping[str, bytes | None]], None]
"""Called with what some files hold now."""


class StopEdit(Exception):
    """Raised by a progress callback to end an edit early."""


class Writer:
    """The one way in which the texts of a dataset change."""

    def __init__(self, history: History, contents: Contents) -> None:
        self._history = history
        self._contents = contents

    def apply(
        self,
        info: EditInfo,
        changes: Iterable[Change],
        note: Note,
        progress: Progress | None = None,
        *,
        extended: int | None = None,
    ) -> EditResult:
        """Replace each file that still has the content ``before``; ``note`` is called with what was written.

        The changes are consumed once, and are not all in memory. ``extended``: an edit of the same kind that
        they become a part of, if it is still in effect.

        Raises:
            SinkError: the history cannot be written; no file was touched.
        """
        changes = iter(changes)
        first = next(changes, None)
        if first is None:
            return EditResult(id=None, summary=info.summary, written=0)
        with self._history.writing():
            self._finish_interrupted()
            edit = self._history.begin(info, itertools.chain([first], changes), extended=extended)
            return self._carry_out(edit, info, note, progress)

    def recover(self) -> list[EditResult]:
        """Finish the edits that dead processes left open."""
        if not self._history.interrupted() or self._history.is_read_only:
            return []
        with self._history.writing():
            return self._finish_interrupted()

    def _finish_interrupted(self) -> list[EditResult]:
        results = []
        for record in self._history.interrupted():  # held by ``writing``: their processes are dead
            for changes in self._history.unwritten(record.id):
                self._contents.remove_parts([change.file for change in changes])
            results.append(self._carry_out(record.id, record.info, lambda _: None, None))
        return results

    def _carry_out(self, edit: int, info: EditInfo, note: Note, progress: Progress | None) -> EditResult:
        outcome = _Outcome()
        for changes in self._history.unwritten(edit):
            written = self._put_all(changes, outcome, progress)
            # Accepting a proposal writes a file and removes the proposal: that is one caption.
            outcome.files += sum(map(is_caption, written))
            outcome.values += len({file.split("/", 2)[-1] for file in written if not is_caption(file)})
            if any(change.file.startswith(CAPTION) for change in changes):
                outcome.unit = "caption"
            note(written)
        self._contents.sync()
        return self._finish(edit, info, outcome)

    def _put_all(
        self, changes: Sequence[Change], outcome: _Outcome, progress: Progress | None
    ) -> dict[str, bytes | None]:
        """What was written."""
        written: dict[str, bytes | None] = {}
        for change in changes:
            try:
                if progress is not None and not outcome.is_stopped:
                    progress(outcome.reached)
                if outcome.is_stopped:
                    outcome.statuses.append((Status.STOPPED, change.file))
                elif self._put(change):
                    written[change.file] = change.after
                else:
                    outcome.statuses.append((Status.CONFLICT, change.file))
            except SampleError as error:
                outcome.statuses.append((Status.FAILED, change.file))
                outcome.failed.append((change.file, str(error)))
            except (
                StopEdit,
                SinkError,
            ) as error:  # the latter where no file can be written, as on a full disk
                outcome.failed += [(change.file, str(error))] if isinstance(error, SinkError) else []
                outcome.statuses.append((Status.STOPPED, change.file))
                outcome.is_stopped = True
            outcome.reached += 1
        return written

    def _finish(self, edit: int, info: EditInfo, outcome: _Outcome) -> EditResult:
        count = outcome.files or outcome.values
        self._history.finish(edit, outcome.statuses, count)
        return EditResult(
            id=edit,
            summary=info.summary,
            written=count,
            conflicts=tuple(
                file.removeprefix(CAPTION) for status, file in outcome.statuses if status is Status.CONFLICT
            ),
            failed=tuple(outcome.failed),
            stopped=sum(status is Status.STOPPED for status, _ in outcome.statuses),
            unit=outcome.unit,
        )

    def _put(self, change: Change) -> bool:
        """Whether the file holds the content ``after`` now."""
        content = self._contents.read(change.file)
        if content == change.after:
            return True
        if content != change.before:
            return False
        self._contents.replace(change.file, change.after)
        return True


def inverse(changes: Iterable[Change]) -> Iterator[Change]:
    """The changes that take these back."""
    return (Change(file=each.file, before=each.after, after=each.before) for each in changes)


@dataclasses.dataclass(slots=True)
class _Outcome:
    """What became of an edit so far; ``statuses`` are those of the changes that were not written."""

    reached: int = 0
    files: int = 0
    values: int = 0
    is_stopped: bool = False
    unit: str = "file"
    statuses: list[tuple[Status, str]] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)
