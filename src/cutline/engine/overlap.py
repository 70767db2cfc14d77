"""Refuses runs that would write over what they read: input, pictures, prompts and other files."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH110, PTH112, PTH113, PTH116, PTH120, PTH123, PTH208

from __future__ import annotations

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from cutline.engine.conflicts import (
    CURE,
    PATTERN,
    check_links,
    check_other_runs,
    check_state,
    check_state_folder,
    is_linked,
    shown,
)
from cutline.engine.state import failures_file, state_folder
from cutline.errors import ConfigError
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import MIMES, sniff_format
from cutline.job import Job
from cutline.locations.roots import leads_out
from cutline.sinks.ownership import OwnershipRecord
from cutline.sinks.targets import LocalTarget
from cutline.sources.linked_folders import walk_folders
from cutline.sources.names import extension, is_metadata_file, is_tar
from cutline.sources.outputs import FILE_RECORD, SHARDS_RECORD, RunPaths, rejected_list
from cutline.sources.patterns import fixed_folder
from cutline.storage import ResolvedPath, absolute

_FOLDERS = frozenset({"webdataset"})  # formats whose output is a folder of shards
_TABLES = frozenset({"parquet", "arrow"})  # which are read where a folder is the input
_ONE_FILE = frozenset({"json", "jsonl", "csv", "tsv", "parquet", "scienceqa"})
_SHARD = re.compile(r"\d{5,}\.tar")


def run_paths(
    input_path: str, output: str, state: str | None, failures: Path | None = None, *, numbered: bool = False
) -> RunPaths:
    """Where a run reads and writes; ``state`` and ``failures`` are the caller's choice of them, if any."""
    folder = state_folder(output, state)
    failed = str(failures or failures_file(output, folder))
    given = ResolvedPath.of(input_path) if input_path else None
    return RunPaths(
        input=given,
        input_folder=absolute(fixed_folder(given.path)) if given else "",
        output=ResolvedPath.of(output),
        state=ResolvedPath.of(str(folder)),
        failures=ResolvedPath.of(failed),
        rejected=ResolvedPath.of(rejected_list(failed)),
        numbered=numbered,
    )


def files_read(job: Job) -> list[str]:
    """The files beside its input that a job names: prompts, schema, prices, chain, plug-ins, banned words."""
    given = (*job.prompts.prompt, *filter(None, (job.checks.retry_prompt,)))
    checks = [str(value) for spec in job.checks.specs()["checks"] for value in spec.options.values()]
    prompts = [text for prompt in given for text in (prompt, prompt.partition("=")[2])]
    named = (job.prompts.schema, job.run.prices, job.model.chain, *job.model.plugin, *prompts, *checks)
    return [path for path in named if path and "\n" not in path and os.path.isfile(path)]


def refuse_overlap(paths: RunPaths, form: str, also_read: Sequence[str] = ()) -> None:
    """Check that nothing of what is read would be opened for writing.

    ``form`` is the output's format, empty for one that is none. Cheap where no output is there yet.

    Raises:
        ConfigError: something would; names the cure.
    """
    if form == "sidecar":
        _check_list_beside_texts(paths)
    elif form == "imagefolder":  # what the table holds is kept, with the new texts
        if paths.input and paths.output.absolute == paths.input.absolute:
            _refuse_input(paths.output.given, "the output")
        _check_metadata_link(paths.output)
    elif form in _FOLDERS:
        _check_shards(paths)
    else:
        if form in _ONE_FILE and (paths.output.path.endswith("/") or os.path.isdir(paths.output.path)):
            raise ConfigError(f"{shown(paths.output.given)} is a folder: give the name of a file")
        _check_file(paths.output, "the output", also_read, paths)
        if paths.numbered:
            _check_numbered(paths)
    _check_file(paths.failures, "the list of failures", also_read, paths)
    _check_file(paths.rejected, "the list of rejected pictures", also_read, paths)
    check_links(paths)
    check_other_runs(paths)
    check_state_folder(paths)
    check_state(paths, form)


def _check_file(written: ResolvedPath, what: str, also_read: Sequence[str], paths: RunPaths) -> None:
    given = paths.input
    if given and written.absolute == given.absolute:
        _refuse_input(written.given, what)
    if extension(written.name) in EXTENSIONS or (not written.is_remote and _is_picture(written.path)):
        raise ConfigError(f"{shown(written.given)} is a picture and would be replaced by {what}: {CURE}")
    identity = None if written.is_remote else _identity(written.path)
    if identity is None:
        return
    for path in also_read:
        if _identity(path) == identity:
            raise ConfigError(f"{shown(path)} is read by this run and would be replaced by {what}: {CURE}")
    if not given or given.is_remote:
        return
    linked = is_linked(written.path)
    if not linked and written == paths.output and _is_own(paths):
        return
    inside = _is_read(written.name) and _is_within(written, given)
    if inside or any(found == identity for found in _inputs(given.path, several=linked)):
        _refuse_input(written.given, what)


def _refuse_input(written: str, what: str) -> NoReturn:
    stem, _, ending = written.rpartition(".")
    example = ""
    if "/" not in ending:
        ending = ending if ending in _ONE_FILE else "jsonl"
        example = f", such as {shown(stem or written)}-captions.{ending}"
    raise ConfigError(
        f"{shown(written)} belongs to the input, which {what} would replace: write to another output{example}"
    )


def _check_metadata_link(written: ResolvedPath) -> None:
    """Refuse a metadata file that is a link out of the pictures' folder, as texts beside pictures are."""
    if not written.is_remote and leads_out(written.path, os.path.dirname(written.path) or "."):
        raise ConfigError(
            f"{shown(written.given)} is a link that leads out of its folder: remove it, or copy the file"
        )


def _check_shards(paths: RunPaths) -> None:
    """Refuse a folder of shards that is the input, or has shards that the input has too."""
    given, output = paths.input, paths.output.absolute
    if not given:
        return
    over = output in {given.absolute, paths.input_folder}
    folder, _, name = given.absolute.rpartition("/")
    over |= folder == output and bool(_SHARD.fullmatch(name))
    if not over and not paths.output.is_remote and not given.is_remote and os.path.isdir(output):
        there = {_identity(f"{output}/{name}") for name in os.listdir(output) if _SHARD.fullmatch(name)}
        theirs = there and not os.path.exists(f"{paths.state.path}/{SHARDS_RECORD}")
        over = bool(theirs) and any(found in there for found in _inputs(given.path, several=True))
    if over:
        raise ConfigError(
            f"{shown(paths.output.given)} holds shards of the input, which the output would replace: "
            f"write to another folder, such as {shown(paths.output.given.rstrip('/'))}-captions"
        )


def _check_numbered(paths: RunPaths) -> None:
    """Refuse an output in several files whose names those of the input have."""
    given, output = paths.input, paths.output
    if not given:
        return
    folder, _, name = output.absolute.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    if paths.input_folder == folder and fnmatch.fnmatch(f"{stem}-00000{dot}{ending}", given.name):
        _refuse_input(output.given, "the output")
    if output.is_remote or given.is_remote:
        return
    if os.path.exists(f"{paths.state.path}/{SHARDS_RECORD}") or not os.path.isdir(folder):
        return
    pattern = f"{glob.escape(f'{folder}/{stem}')}-[0-9]*{glob.escape(dot + ending)}"
    there = {_identity(file): file for file in glob.iglob(pattern)}  # noqa: PTH207 - stays a string
    for found in _inputs(given.path, several=True) if there else ():
        if found in there:
            _refuse_input(there[found], "the output")


def _check_list_beside_texts(paths: RunPaths) -> None:
    """Refuse to write sidecars into a folder where the list that is read has the name of one."""
    given, output = paths.input, paths.output
    if not given or given.is_remote or output.is_remote or extension(given.name) != "txt":
        return
    if _is_within(given, output):
        raise ConfigError(
            f"{shown(given.given)} is among the texts of the output, one of which could replace it: "
            "write to a folder of its own"
        )


def _inputs(path: str, *, several: bool) -> Iterator[tuple[int, int]]:
    """The identities of the files of an input on this machine; of a folder only if ``several``."""
    if PATTERN.search(path) and not os.path.exists(path):
        pattern = re.sub(r"\{[^{}]*\}", "*", path)
        for file in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - the pattern may be absolute
            yield from filter(None, [_identity(file)])
    elif os.path.isdir(path) and several:
        for folder, folders, names in walk_folders(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from filter(None, (_identity(f"{folder}/{name}") for name in names if _is_read(name)))
    else:
        yield from filter(None, [_identity(path)])


def _is_read(name: str) -> bool:
    ending = extension(name)
    return ending in EXTENSIONS or ending in _TABLES or is_metadata_file(name) or is_tar(name)


def _is_own(paths: RunPaths) -> bool:
    """Whether the file in the output's place is the one that an earlier run left there."""
    record, output = Path(paths.state.path, FILE_RECORD), Path(paths.output.path)
    return record.exists() and OwnershipRecord(record).describes(LocalTarget(output), output)


def _is_within(path: ResolvedPath, folder: ResolvedPath) -> bool:
    return os.path.isdir(folder.path) and path.absolute.startswith(f"{folder.absolute}/")


def _is_picture(path: str) -> bool:
    """Whether a file that is there begins as a picture does."""
    if not os.path.isfile(path):
        return False
    try:
        with open(path, "rb") as file:
            return sniff_format(file.read(64)) in MIMES
    except OSError:
        return False


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # not there, a name that is too long, or one with a null character
        return None
    return (status.st_dev, status.st_ino)
