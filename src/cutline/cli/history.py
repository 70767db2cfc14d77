"""``cutline history``, ``undo`` and ``redo``: the edits of a folder's captions."""

from __future__ import annotations

import sys
import time
from typing import Annotated

from cyclopts import Parameter, validators

from cutline.cli.dataset_options import DEFAULTS, DatasetOptions, Input, edit_progress, exit_code, outcome
from cutline.errors import ConfigError
from cutline.formatting import plural, printable
from cutline.terminal import print_line


def undo(
    folder: Input,
    /,
    *,
    to: Annotated[
        int | None, Parameter(help="Go back to how it was after the edit of this number; 0 for the start.")
    ] = None,
    edit: Annotated[int | None, Parameter(help="Take back this edit alone, and leave later ones.")] = None,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Take back the latest edit of a folder's captions, also one made in the studio."""
    if to is not None and edit is not None:
        raise ConfigError("--to and --edit exclude each other: give one of them")
    opened = dataset.open(folder)
    if to and opened.history.edit(to) is None:
        raise ConfigError(f"there is no edit {to}; `cutline history` lists them")
    code = count = 0
    while True:
        latest = opened.history.undoable()
        if edit is None and (latest is None or (to is not None and latest.id <= to)):
            break
        files = latest.files if latest is not None else 0
        with edit_progress(files) as progress:
            result = opened.undo(edit, progress)
        assert result is not None
        count += 1
        code = max(code, exit_code(result))
        print_line(
            f"edit {result.id}: {outcome(result)}" if result.id else f"edit {edit} has nothing to take back"
        )
        if to is None:
            break
    if not count:
        print_line("nothing to undo")
    return code


def redo(
    folder: Input,
    /,
    *,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """Apply again what `cutline undo` took back last."""
    opened = dataset.open(folder)
    latest = opened.history.redoable()
    with edit_progress(latest.files if latest is not None else 0) as progress:
        result = opened.redo(progress)
    print_line(f"edit {result.id}: {outcome(result)}" if result is not None else "nothing to redo")
    return exit_code(result) if result is not None else 0


def history(
    folder: Input,
    /,
    *,
    picture: Annotated[
        str | None, Parameter(help="The versions of one picture's caption, by its path.")
    ] = None,
    limit: Annotated[int, Parameter(validator=validators.Number(gte=1), help="The latest so many.")] = 50,
    dataset: Annotated[DatasetOptions, Parameter(name="*")] = DEFAULTS,
) -> int:
    """List the edits of a folder's captions, the latest first."""
    opened = dataset.open(folder)
    if picture is not None:
        for version in opened.versions(picture):
            caption = printable((version.caption or "(none)").replace("\n", " "))
            who = printable(version.by)
            sys.stdout.write(f"{version.edit:>6}  {version.time}  {caption}  ({who})\n")
        return 0
    records = opened.history.edits(limit=limit)
    for record in records:
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.time))
        note = f" (taken back by {record.undone_by})" if record.undone_by else ""
        files = plural(record.files, opened.unit)
        sys.stdout.write(f"{record.id:>6}  {when}  {printable(record.info.summary)}, {files}{note}\n")
    if not records:
        print_line("no edits yet")
    return 0
