"""Refuses runs that would write into the files of other runs, through links, or over their own state."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH110, PTH113, PTH116

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.sources.outputs import (
    COMPARISON_RECORD,
    FILE_RECORD,
    SHARDS_RECORD,
    OutputPaths,
    absolute,
    is_failures_list,
    is_rejected_list,
    state_folder_of,
    state_of_output,
    states_beside,
)
from cutline.storage import is_remote, local_path

CURE: Final = "write to another output"
PATTERN: Final = re.compile(r"[*?\[{]")
_T = TypeVar("_T")
_STATE_FILES = frozenset(
    {
        *("journal.jsonl", "owner.json", "mark.json", "report.json", "failures.json", "batches.json", "lock"),
        *("rejected.json", "measures.jsonl"),
        *("rows.part", "output.part", "before.json", "totals.json", FILE_RECORD, SHARDS_RECORD),
    }
)


def check_links(paths: OutputPaths) -> None:
    """Refuse links in the place of files that are written where they are: what they lead to would change."""
    if is_remote(paths.output) or is_remote(paths.state):
        return
    for path in (*map(local_path, (paths.failures, paths.rejected)), f"{paths.state}/journal.jsonl"):
        if is_linked(path):
            raise ConfigError(
                f"{shown(path)} is a link to another file, which this run would change: remove the link, "
                "or write to another output"
            )
    failures = Path(local_path(paths.failures))
    if not Path(paths.state, "journal.jsonl").exists() and not _is_failures_file(failures):
        raise ConfigError(
            f"{shown(str(failures))} is in the place of the list of failures and is none: "
            "move it away, or write to another output"
        )
    rejected = local_path(paths.rejected)
    if is_file(rejected) and Path(rejected).stat().st_size and not is_rejected_list(rejected):
        raise ConfigError(
            f"{shown(rejected)} is in the place of the list of rejected pictures and is none: "
            "move it away, or write to another output"
        )


def check_other_runs(paths: OutputPaths) -> None:
    """Refuse to replace other runs' lists, and parts and shards of their outputs."""
    own = {absolute(paths.state), *states_beside(absolute(paths.output))}
    for written in (paths.output, paths.failures, paths.rejected):
        if is_remote(written):
            continue
        if (other := state_of_output(written)) and other not in own:
            raise ConfigError(f"{shown(written)} belongs to the run whose state is in {shown(other)}: {CURE}")
    if not is_remote(paths.output) and is_failures_list(local_path(paths.output)):
        raise ConfigError(f"{shown(paths.output)} is the list of failures of another run: {CURE}")
    if not is_remote(paths.output) and is_rejected_list(local_path(paths.output)):
        raise ConfigError(f"{shown(paths.output)} is the list of rejected pictures of another run: {CURE}")


def check_state(input_path: str, paths: OutputPaths, form: str) -> None:
    """Refuse an input or output in a state folder, and a state folder that a comparison has."""
    state = absolute(paths.state)
    if form and os.path.lexists(f"{state}/{COMPARISON_RECORD}"):
        raise ConfigError(
            f"{shown(paths.state)} holds the state of a comparison: give another folder with --state"
        )
    if input_path:
        given = absolute(fixed_part(input_path))
        if given == state or given.startswith(f"{state}/"):
            raise ConfigError(
                f"{shown(input_path)} lies in the state folder {shown(paths.state)}, where the run writes: "
                "give another output, or another folder with --state"
            )
    folder, _, name = absolute(paths.output).rpartition("/")
    if (folder == state and name in _STATE_FILES) or (absolute(paths.output) == state and form != "sidecar"):
        raise ConfigError(
            f"{shown(paths.output)} is where the run's own state is kept: give another output, "
            "or another folder with --state"
        )
    if form != "sidecar" and (other := state_folder_of(paths.output)) and other != state:
        raise ConfigError(
            f"{shown(paths.output)} lies in the state folder {shown(other)} of another run: "
            "give another output"
        )


def _is_failures_file(path: Path) -> bool:
    """Whether a file, if there is one, is empty or begins as a list of failures does."""
    status = or_none(path.stat)
    return not is_file(str(path)) or not (status and status.st_size) or is_failures_list(str(path))


def is_linked(path: str) -> bool:
    """Whether it is a link, or a file that has other names too; a folder always has several."""
    return or_none(lambda: Path(path).is_symlink() or (is_file(path) and os.stat(path).st_nlink > 1)) or False


def is_file(path: str) -> bool:
    return or_none(lambda: os.path.isfile(path)) or False


def or_none(call: Callable[[], _T]) -> _T | None:
    try:
        return call()
    except (OSError, ValueError):  # not there, a name that is too long, or one with a null character
        return None


def fixed_part(path: str) -> str:
    """The path, or the folder before its pattern."""
    found = PATTERN.search(path)
    if not found or (not is_remote(path) and os.path.exists(path)):
        return path
    return path[: found.start()].rpartition("/")[0] or "."


def last_name(path: str) -> str:
    return path.rpartition("/")[2]


def shown(path: str) -> str:
    return name_to_text(path)
