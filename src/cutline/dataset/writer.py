"""Apply edits: first to the history, then to the files; and finish interrupted ones."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

from cutline.dataset.contents import CAPTION, Contents, is_caption, unit_of
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo, EditResult, Status
from cutline.errors import SampleError, SinkError

_THREADS: Final = 4
_MANY: Final = 100
_UNITS: Final = ("file", "caption", "proposal")  # what an edit counts, if it changes one of them
Progress = Callable[[int], None]
"""Called with the number of finished changes, by any thread, one call at a time.

An exception from it stops the edit cleanly.
"""

Note = Callable[[Mapping[str, bytes | None]], None]
"""Called with the new contents of some files."""


class StopEdit(Exception):
    """Raised by a progress callback to end an edit early."""


class Writer:
    """The only writer of a dataset's texts."""

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
        """Replace each file that still has the content ``before``; ``note`` is called with written contents.

        The changes are consumed once, and not all are in memory. ``extended``: an edit of the same kind to
        add them to, if it is still in effect.

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
        """Finish the open edits of dead processes."""
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
        outcome = _Outcome(progress)
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as threads:
            for changes in self._history.unwritten(edit):
                written = self._put_all(changes, outcome, threads)
                # Accepting a proposal writes a file and removes the proposal: that is one caption.
                outcome.files += sum(map(is_caption, written))
                outcome.values += len({file.split("/", 2)[-1] for file in written if not is_caption(file)})
                units = {unit_of(change.file) for change in changes}
                outcome.unit = next(one for one in (*_UNITS, *units) if one in {*units, outcome.unit})
                note(written)
        self._contents.sync()
        return self._finish(edit, info, outcome)

    def _put_all(
        self, changes: Sequence[Change], outcome: _Outcome, threads: concurrent.futures.Executor
    ) -> dict[str, bytes | None]:
        """Write the changes; many files in several threads, as each rename waits for the disk."""
        if len(changes) < _MANY:
            return self._put_some(changes, outcome)
        size = -(-len(changes) // _THREADS)
        parts = [changes[start : start + size] for start in range(0, len(changes), size)]
        written: dict[str, bytes | None] = {}
        for part in threads.map(self._put_some, parts, itertools.repeat(outcome)):
            written.update(part)
        return written

    def _put_some(self, changes: Sequence[Change], outcome: _Outcome) -> dict[str, bytes | None]:
        written: dict[str, bytes | None] = {}
        for change in changes:
            try:
                outcome.reach()
                if self._put(change):
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
                outcome.statuses.append((Status.STOPPED, change.file))
                outcome.stop([(change.file, str(error))] if isinstance(error, SinkError) else [])
        return written

    def _finish(self, edit: int, info: EditInfo, outcome: _Outcome) -> EditResult:
        count = outcome.files or outcome.values
        outcome.statuses.sort(key=lambda each: each[1])
        outcome.failed.sort()
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
            unit=outcome.unit or "file",
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
    """The changes that undo these."""
    return (Change(file=each.file, before=each.after, after=each.before) for each in changes)


@dataclasses.dataclass(slots=True)
class _Outcome:
    """The state of an edit; ``statuses`` are those of the changes that were not written."""

    progress: Progress | None
    reached: int = 0
    files: int = 0
    values: int = 0
    is_stopped: bool = False
    unit: str = ""
    statuses: list[tuple[Status, str]] = dataclasses.field(default_factory=list)
    failed: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    _guard: threading.Lock = dataclasses.field(default_factory=threading.Lock)

    def reach(self) -> None:
        """Count a change; StopEdit: it must not be made."""
        with self._guard:
            if self.is_stopped:
                raise StopEdit
            if self.progress is not None:
                self.progress(self.reached)
            self.reached += 1

    def stop(self, failed: list[tuple[str, str]]) -> None:
        """Stop all further changes, with the first error as the reason."""
        with self._guard:
            self.failed += failed * (not self.is_stopped)
            self.is_stopped = True
