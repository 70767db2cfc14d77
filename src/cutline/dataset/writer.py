"""Carries out edits: into the history first, then into the files; finishes what an earlier process began."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cutline.dataset.contents import Contents
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo, EditResult, Status
from cutline.errors import SampleError, SinkError

Progress = Callable[[int], None]
"""Called with the number of changes that are done; an exception from it stops the edit in good order."""


class StopEdit(Exception):
    """Raised by a progress callback to end an edit early."""


class Writer:
    """The one way in which the texts of a dataset change."""

    def __init__(self, history: History, contents: Contents) -> None:
        self._history = history
        self._contents = contents

    def apply(
        self, info: EditInfo, changes: Sequence[Change], progress: Progress | None = None
    ) -> tuple[EditResult, list[Change]]:
        """Replace each file that still has the content ``before``; returns also what was written.

        Raises:
            SinkError: the history cannot be written; no file was touched.
        """
        if not changes:
            return EditResult(id=None, summary=info.summary, written=0), []
        with self._history.writing():
            self._finish_interrupted()
            edit = self._history.begin(info, changes)
            return self._carry_out(edit, info, changes, progress)

    def recover(self) -> list[EditResult]:
        """Finish the edits that dead processes left open."""
        if not self._history.interrupted():
            return []
        with self._history.writing():
            return self._finish_interrupted()

    def _finish_interrupted(self) -> list[EditResult]:
        results = []
        for record in self._history.interrupted():  # held by ``writing``: their processes are dead
            changes = self._history.changes(record.id, status=None)
            self._contents.remove_parts([change.file for change in changes])
            results.append(self._carry_out(record.id, record.info, changes, None)[0])
        return results

    def _carry_out(
        self, edit: int, info: EditInfo, changes: Sequence[Change], progress: Progress | None
    ) -> tuple[EditResult, list[Change]]:
        written: list[Change] = []
        statuses: list[tuple[Status, str]] = []
        failed: list[tuple[str, str]] = []
        for number, change in enumerate(changes):
            try:
                if progress is not None:
                    progress(number)
                if self._put(change):
                    written.append(change)
                else:
                    statuses.append((Status.CONFLICT, change.file))
            except SampleError as error:
                statuses.append((Status.FAILED, change.file))
                failed.append((change.file, str(error)))
            except (
                StopEdit,
                SinkError,
            ) as error:  # the latter where no file can be written, as on a full disk
                failed += [(change.file, str(error))] if isinstance(error, SinkError) else []
                statuses += ((Status.STOPPED, each.file) for each in changes[number:])
                break
        self._contents.sync()
        # Accepting a proposal writes a file and removes the proposal: that is one caption.
        count = sum(not change.file.startswith("/") for change in written) or len(written)
        self._history.finish(edit, statuses, count)
        result = EditResult(
            id=edit,
            summary=info.summary,
            written=count,
            conflicts=tuple(file for status, file in statuses if status is Status.CONFLICT),
            failed=tuple(failed),
            stopped=sum(status is Status.STOPPED for status, _ in statuses),
        )
        return result, written

    def _put(self, change: Change) -> bool:
        """Whether the file holds the content ``after`` now."""
        content = self._contents.read(change.file)
        if content == change.after:
            return True
        if content != change.before:
            return False
        self._contents.replace(change.file, change.after)
        return True


def inverse(changes: Sequence[Change]) -> list[Change]:
    """The changes that take these back."""
    return [Change(file=each.file, before=each.after, after=each.before) for each in changes]
