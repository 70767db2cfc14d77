"""Refuses runs that would write into the files of other runs, through links, or over their own state."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH110, PTH113, PTH114, PTH116, PTH202

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.serialization import read_object
from cutline.sources.outputs import (
    COMPARISON_RECORD,
    FILE_RECORD,
    OWNER,
    SHARDS_RECORD,
    STATE_ENDING,
    RunPaths,
    is_failures_list,
    is_rejected_list,
    state_folder_of,
    state_of_output,
    states_beside,
)
from cutline.sources.unknown_files import first_bytes

CURE: Final = "write to another output"
PATTERN: Final = re.compile(r"[*?\[{]")
_STATE_FILES = frozenset(
    {
        *("journal.jsonl", "owner.json", "mark.json", "report.json", "failures.json", "batches.json", "lock"),
        *("rejected.json", "measures.jsonl"),
        *("rows.part", "output.part", "before.json", "totals.json", FILE_RECORD, SHARDS_RECORD),
    }
)


def check_links(paths: RunPaths) -> None:
    """Refuse links in the place of files that are written where they are: what they lead to would change."""
    if paths.output.is_remote:
        return
    journal = f"{paths.state.path}/journal.jsonl"
    for path in (paths.failures.path, paths.rejected.path, journal):
        if is_linked(path):
            raise ConfigError(
                f"{shown(path)} is a link to another file, which this run would change: remove the link, "
                "or write to another output"
            )
    if not os.path.exists(journal):
        _check_list(paths.failures.path, "failures", is_failures_list)
    _check_list(paths.rejected.path, "rejected pictures", is_rejected_list)


def _check_list(path: str, what: str, is_list: Callable[[str], bool]) -> None:
    """Refuse a file in the place of a list that is neither empty nor such a list."""
    if os.path.isfile(path) and os.path.getsize(path) and not is_list(path):
        raise ConfigError(
            f"{shown(path)} is where the list of {what} is written, and is not one: "
            "move it away, or write to another output"
        )


def check_state_folder(paths: RunPaths) -> None:
    """Refuse a folder for the state in which files of others have the names of those that a run writes."""
    folder = paths.state.path
    if paths.state.is_remote or folder.endswith(STATE_ENDING) or _begins_as_run(f"{folder}/journal.jsonl"):
        return
    owner = read_object(Path(folder, OWNER)) or {}
    if {"process", "host"} <= owner.keys():
        return
    for name in sorted(_STATE_FILES):
        if os.path.isfile(f"{folder}/{name}") and os.path.getsize(f"{folder}/{name}"):
            raise ConfigError(
                f"{shown(folder)} is no state of a run, and {name} in it would be replaced: give another "
                "folder with --state"
            )


def _begins_as_run(journal: str) -> bool:
    return first_bytes(journal).startswith(b'{"run":')


def check_other_runs(paths: RunPaths) -> None:
    """Refuse to replace other runs' lists, and parts and shards of their outputs."""
    output = paths.output
    own = {paths.state.absolute, *states_beside(output.absolute)}
    for written in (output, paths.failures, paths.rejected):
        if not written.is_remote and (other := state_of_output(written.absolute)) and other not in own:
            raise ConfigError(
                f"{shown(written.given)} belongs to the run whose state is in {shown(other)}: {CURE}"
            )
    if not output.is_remote and is_failures_list(output.path):
        raise ConfigError(f"{shown(output.given)} is the list of failures of another run: {CURE}")
    if not output.is_remote and is_rejected_list(output.path):
        raise ConfigError(f"{shown(output.given)} is the list of rejected pictures of another run: {CURE}")


def check_state(paths: RunPaths, form: str) -> None:
    """Refuse an input or output in a state folder, and a state folder that a comparison has."""
    state, output = paths.state.absolute, paths.output
    if form and os.path.lexists(f"{state}/{COMPARISON_RECORD}"):
        raise ConfigError(
            f"{shown(paths.state.given)} holds the state of a comparison: give another folder with --state"
        )
    if paths.input and f"{paths.input_folder}/".startswith(f"{state}/"):
        raise ConfigError(
            f"{shown(paths.input.given)} is in the state folder {shown(paths.state.given)}, where the run "
            "writes: give another output, or another folder with --state"
        )
    folder, _, name = output.absolute.rpartition("/")
    if (folder == state and name in _STATE_FILES) or (output.absolute == state and form != "sidecar"):
        raise ConfigError(
            f"{shown(output.given)} is where the run stores its state: give another output, "
            "or another folder with --state"
        )
    if form != "sidecar" and (other := state_folder_of(output.absolute)) and other != state:
        raise ConfigError(
            f"{shown(output.given)} is in the state folder {shown(other)} of another run: give another output"
        )


def is_linked(path: str) -> bool:
    """Whether it is a link, or a file that has other names too; a folder always has several."""
    return os.path.islink(path) or (os.path.isfile(path) and os.stat(path).st_nlink > 1)


def shown(path: str) -> str:
    return name_to_text(path)
