"""The texts that runs replaced in a folder, as edits of its history, so that they can be undone."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

from cutline.dataset.contents import Contents
from cutline.dataset.history import History
from cutline.dataset.records import Change, EditInfo
from cutline.errors import SampleError
from cutline.formatting import plural
from cutline.sidecars.replaced import ReplacedTexts

OWNERSHIP: Final = "sidecars.sqlite"


def note_runs(history: History, contents: Contents, state: Path) -> None:
    """Add an edit for each run that replaced texts since, by the record in its ``state``.

    Raises:
        SinkError: the record or the history cannot be used, as while a run writes there.
    """
    record = ReplacedTexts(state / OWNERSHIP)
    if not record.read():
        return
    with history.writing():
        texts = record.read()  # as another process may have had them meanwhile
        last = {each.file: each.run for each in texts}
        for _, group in itertools.groupby(texts, key=lambda each: each.run):
            found = list(group)
            changes = [
                Change(file=each.file, before=each.before, after=each.after)
                for each in found
                # Else a killed run did not get there; a later run has only what the earlier one wrote.
                if each.run != last[each.file] or not _holds(contents, each.file, each.before)
            ]
            if changes:
                summary = f"a run replaced {plural(len(changes), 'text')}"
                info = EditInfo(kind="run", summary=summary, model=found[0].model)
                edit = history.begin(info, changes, time=found[0].time)
                history.finish(edit, [], len(changes))
            record.forget(found)


def _holds(contents: Contents, file: str, content: bytes) -> bool:
    try:
        return contents.read(file) == content
    except SampleError:
        return False
