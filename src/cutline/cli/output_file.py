"""Check the file that a command writes: it must not replace an input, or a file of a run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.locations.roots import is_within
from cutline.sources.outputs import is_failures_list, state_folder_of, state_of_output
from cutline.storage import is_remote, local_path

_TABLES: Final = frozenset({".csv", ".json", ".jsonl", ".parquet"})  # which are read where a folder is


def check_output(
    path: Path | None,
    endings: Sequence[str],
    what: str,
    *,
    overwrite: bool,
    inputs: Sequence[str | None] = (),
) -> None:
    """Refuse an output that cannot be written, or that would replace something else.

    ``what``: "words are written". ``inputs`` are what the command reads.

    Raises:
        ConfigError: another ending, a folder, a file that is there, an input or a part of one, or a file
            that belongs to a run.
    """
    if path is None:
        return
    if path.suffix.lower() not in endings:
        raise ConfigError(f"{what} to {' or '.join(endings)}: change the extension of {path}")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder: give the path of a file")
    _check_apart(path, [local_path(each) for each in inputs if each and not is_remote(each)])
    _check_runs(path)
    if path.exists() and not overwrite:
        raise ConfigError(f"{path} exists: give another output, or --overwrite")


def check_overwrite(*outputs: Path | None, overwrite: bool) -> None:
    """Raises ConfigError: there is no output to replace."""
    if overwrite and not any(outputs):
        raise ConfigError("--overwrite needs an output: add --output, or remove it")


def _check_apart(path: Path, inputs: Sequence[str]) -> None:
    place = os.path.realpath(path)
    for each in inputs:
        read = Path(each)
        if read.is_dir():
            if path.suffix.lower() in _TABLES and is_within(place, os.path.realpath(read)):
                raise ConfigError(
                    f"{path} is in {each}, and would be read as a part of it: give an output outside of it"
                )
        elif place == os.path.realpath(read) or (path.exists() and read.exists() and path.samefile(read)):
            raise ConfigError(f"{path} is also an input: give another output")


def _check_runs(path: Path) -> None:
    place = os.path.realpath(path)
    if folder := state_folder_of(place) or state_of_output(place):
        raise ConfigError(f"{path} belongs to the run whose state is in {folder}: give another output")
    if is_failures_list(place):
        raise ConfigError(f"{path} is the list of failures of a run: give another output")
