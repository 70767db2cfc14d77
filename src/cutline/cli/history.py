"""``cutline history``, ``undo`` and ``redo``: the edits of a folder's captions."""

from __future__ import annotations

import shlex
import sys
import time
from typing import Annotated

from cyclopts import Parameter, validators

from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, edit_progress, exit_code, outcome
from cutline.dataset.contents import unit_of
from cutline.dataset.dataset import Dataset
from cutline.dataset.records import EditRecord
from cutline.errors import ConfigError
from cutline.formatting import plural, printable
from cutline.terminal import print_line


def undo(
    folder: Input,
    /,
    *,
    to: Annotated[
        int | None, Parameter(help="Go back to the state after this edit; 0 for the start.")
    ] = None,
    edit: Annotated[int | None, Parameter(help="Undo this edit only, and keep later ones.")] = None,
    state: Annotated[
        str | None, Parameter(help="The --state of a run whose replaced texts are to come back.")
    ] = None,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Undo the latest edit of a folder's captions: of the studio too, or of a run that replaced texts."""
    if to is not None and edit is not None:
        raise ConfigError("--to and --edit exclude each other: give one of them")
    opened = dataset.open(folder)
    opened.note_runs(state)
    if to and opened.history.edit(to) is None:
        raise ConfigError(f"there is no edit {to}; `cutline history` lists them")
    code, results = 0, []
    latest = _to_undo(opened, edit)
    if latest is None or latest.id <= (to or 0):
        print_line("nothing to undo")
    while latest is not None and latest.id > (to or 0):
        with edit_progress(latest.files) as progress:
            result = opened.undo(latest.id, progress)
        assert result is not None
        results.append(result)
        code = max(code, exit_code(result))
        if result.id is None:
            print_line(f"edit {latest.id} has nothing to undo")
        else:
            print_line(f"edit {result.id}: {outcome(result)}")
        if result.conflicts:
            print_line(_later(folder, latest.id, len(result.conflicts), opened.unit))
        is_last = to is None or result.stopped
        latest = None if is_last else opened.history.undoable(before=latest.id)
    dataset.print_unchanged(folder, results)
    return code


def _to_undo(opened: Dataset, edit: int | None) -> EditRecord | None:
    """The edit to begin with: that of the option, which must be there, or the latest."""
    if edit is None:
        return opened.history.undoable()
    found = opened.history.edit(edit)
    if found is None:
        raise ConfigError(f"there is no edit {edit}; `cutline history` lists them")
    return found


def _later(folder: str, edit: int, count: int, unit: str) -> str:
    """How to undo an edit in files that were changed since."""
    command = printable(shlex.join(("cutline", "undo", folder, "--edit", str(edit))))
    return f"to undo it in {plural(count, unit)} too, take back what changed since, then run: {command}"


def redo(
    folder: Input,
    /,
    *,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Redo the last edit that `cutline undo` undid."""
    opened = dataset.open(folder)
    latest = opened.history.redoable()
    with edit_progress(latest.files if latest is not None else 0) as progress:
        result = opened.redo(progress)
    print_line(f"edit {result.id}: {outcome(result)}" if result is not None else "nothing to redo")
    if result is None:
        return 0
    dataset.print_unchanged(folder, [result])
    return exit_code(result)


def history(
    folder: Input,
    /,
    *,
    picture: Annotated[
        str | None, Parameter(help="The versions of one picture's caption, by its path.")
    ] = None,
    limit: Annotated[
        int, Parameter(validator=validators.Number(gte=1), help="Number of edits to list.")
    ] = 50,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """List the edits of a folder's captions, the latest first."""
    opened = dataset.open(folder)
    if picture is not None:
        versions = opened.versions(picture)
        for version in versions:
            caption = printable((version.caption or "(none)").replace("\n", " "))
            who = printable(version.by)
            sys.stdout.write(f"{version.edit or '':>6}  {version.time:19}  {caption}  ({who})\n")
        if not versions:
            print_line(f"the caption of {printable(picture)} has not been edited")
        return 0
    records = opened.history.edits(limit=limit)
    taken_back = opened.history.taken_back(records)
    for record in records:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
        undone = taken_back.get(record.id, 0)
        some = f" in {undone:,} of them" if undone < record.files else ""
        note = f" (undone by {record.undone_by}{some})" if undone else ""
        files = plural(record.files, unit_of(opened.history.first_file(record.id)))
        sys.stdout.write(f"{record.id:>6}  {when}  {printable(record.info.summary)}, {files}{note}\n")
    if not records:
        print_line("no edits yet")
    return 0
