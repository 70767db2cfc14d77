"""Refuses runs that would write over what they read: input, pictures, prompts and other files."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH110, PTH112, PTH116, PTH208

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
    fixed_part,
    is_file,
    is_linked,
    last_name,
    or_none,
    shown,
)
from cutline.engine.state import failures_file, state_folder
from cutline.errors import ConfigError
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import MIMES, sniff_format
from cutline.job import Job
from cutline.sinks.ownership import OwnershipRecord
from cutline.sinks.targets import target
from cutline.sources.names import TAR_ENDINGS, extension, is_tar
from cutline.sources.outputs import (
    FILE_RECORD,
    SHARDS_RECORD,
    OutputPaths,
    absolute,
)
from cutline.storage import is_remote, local_path

_FOLDERS = frozenset({"webdataset"})  # formats whose output is a folder of shards
_TABLES = frozenset({"parquet", "arrow"})  # which are read where a folder is the input
_ONE_FILE = frozenset({"json", "jsonl", "csv", "tsv", "parquet", "scienceqa"})
_SHARD = re.compile(r"\d{5,}\.tar")


def output_paths(
    output: str, state: str | None, failures: Path | None = None, *, numbered: bool = False
) -> OutputPaths:
    """Where a run writes; ``state`` and ``failures`` are the caller's choice of them, if any."""
    folder = state_folder(output, state)
    failed = str(failures or failures_file(output, folder))
    return OutputPaths(output=output, state=str(folder), failures=failed, numbered=numbered)


def files_read(job: Job) -> list[str]:
    """The files beside its input that a job names: prompts, schema, prices, chain, plug-ins, banned words."""
    given = (*job.prompts.prompt, *filter(None, (job.checks.retry_prompt,)))
    checks = [str(value) for spec in job.checks.specs()["checks"] for value in spec.options.values()]
    prompts = [text for prompt in given for text in (prompt, prompt.partition("=")[2])]
    named = (job.prompts.schema, job.run.prices, job.model.chain, *job.model.plugin, *prompts, *checks)
    return [path for path in named if path and "\n" not in path and is_file(path)]


def refuse_overlap(input_path: str, paths: OutputPaths, form: str, also_read: Sequence[str] = ()) -> None:
    """Check that nothing of what is read would be opened for writing.

    ``form`` is the output's format, empty for one that is none. Cheap where no output is there yet.

    Raises:
        ConfigError: something would; names the cure.
    """
    if form == "sidecar":
        _check_list_beside_texts(input_path, paths.output)
    elif form == "imagefolder":  # what the table holds is kept, with the new texts
        if input_path and absolute(paths.output) == absolute(input_path):
            _refuse_input(paths.output, "the output")
    elif form in _FOLDERS:
        _check_shards(input_path, paths)
    else:
        if form in _ONE_FILE and _is_folder(paths.output):
            raise ConfigError(f"{shown(paths.output)} is a folder: give the name of a file")
        _check_file(paths.output, "the output", input_path, also_read, paths)
        if paths.numbered:
            _check_numbered(input_path, paths)
    _check_file(paths.failures, "the list of failures", input_path, also_read, paths)
    _check_file(paths.rejected, "the list of rejected pictures", input_path, also_read, paths)
    check_links(paths)
    check_other_runs(paths)
    check_state(input_path, paths, form)


def _check_file(
    written: str, what: str, input_path: str, also_read: Sequence[str], paths: OutputPaths
) -> None:
    if input_path and absolute(written) == absolute(input_path):
        _refuse_input(written, what)
    if extension(last_name(written)) in EXTENSIONS or (not is_remote(written) and _is_picture(written)):
        raise ConfigError(f"{shown(written)} is a picture and would be replaced by {what}: {CURE}")
    if is_remote(written):
        return
    identity = _identity(written)
    if identity is None:
        return
    for path in also_read:
        if _identity(path) == identity:
            raise ConfigError(f"{shown(path)} is read by this run and would be replaced by {what}: {CURE}")
    if not input_path or is_remote(input_path):
        return
    if not is_linked(written) and written == paths.output and _is_own(paths):
        return
    inside = _is_within(written, input_path) and _is_read(written)
    if inside or any(found == identity for found in _inputs(input_path, several=is_linked(written))):
        _refuse_input(written, what)


def _refuse_input(written: str, what: str) -> NoReturn:
    stem, _, ending = written.rpartition(".")
    example = ""
    if "/" not in ending:
        ending = ending if ending in _ONE_FILE else "jsonl"
        example = f", such as {shown(stem or written)}-captions.{ending}"
    raise ConfigError(
        f"{shown(written)} belongs to the input, which {what} would replace: write to another output{example}"
    )


def _check_shards(input_path: str, paths: OutputPaths) -> None:
    """Refuse a folder of shards that is the input, or has shards that the input has too."""
    output = absolute(paths.output)
    if not input_path:
        return
    given = absolute(input_path)
    fixed = absolute(fixed_part(input_path))
    over = given == output or (PATTERN.search(input_path) is not None and fixed == output)
    over |= is_tar(given) and given.rpartition("/")[0] == output and bool(_SHARD.fullmatch(last_name(given)))
    if not over and not is_remote(output) and not is_remote(input_path) and os.path.isdir(output):
        there = {_identity(f"{output}/{name}") for name in os.listdir(output) if _SHARD.fullmatch(name)}
        theirs = there and not os.path.exists(f"{paths.state}/{SHARDS_RECORD}")
        over = bool(theirs) and any(found in there for found in _inputs(input_path, several=True))
    if over:
        raise ConfigError(
            f"{shown(paths.output)} holds shards of the input, which the output would replace: "
            f"write to another folder, such as {shown(paths.output.rstrip('/'))}-captions"
        )


def _check_numbered(input_path: str, paths: OutputPaths) -> None:
    """Refuse an output in several files whose names those of the input have."""
    output = absolute(paths.output)
    folder, _, name = output.rpartition("/")
    stem, dot, ending = name.rpartition(".")
    first = f"{stem}-00000{dot}{ending}"
    if absolute(fixed_part(input_path)) == folder and fnmatch.fnmatch(first, last_name(input_path)):
        _refuse_input(paths.output, "the output")
    if not input_path or is_remote(output) or is_remote(input_path):
        return
    if os.path.exists(f"{paths.state}/{SHARDS_RECORD}") or not os.path.isdir(folder):
        return
    pattern = f"{glob.escape(f'{folder}/{stem}')}-[0-9]*{glob.escape(dot + ending)}"
    there = {_identity(file): file for file in glob.iglob(pattern)}  # noqa: PTH207 - stays a string
    for found in _inputs(input_path, several=True) if there else ():
        if found in there:
            _refuse_input(there[found], "the output")


def _check_list_beside_texts(input_path: str, output: str) -> None:
    """Refuse to write sidecars into a folder where the list that is read has the name of one."""
    if is_remote(input_path) or is_remote(output) or extension(last_name(input_path)) != "txt":
        return
    if os.path.isdir(output) and _is_within(input_path, output):
        raise ConfigError(
            f"{shown(input_path)} lies among the texts of the output, one of which could replace it: "
            "write to a folder of its own"
        )


def _inputs(path: str, *, several: bool) -> Iterator[tuple[int, int]]:
    """The identities of the files of an input on this machine; of a folder only if ``several``."""
    if PATTERN.search(path) and not os.path.exists(path):
        pattern = re.sub(r"\{[^{}]*\}", "*", path)
        for file in glob.iglob(pattern, recursive=True):  # noqa: PTH207 - the pattern may be absolute
            yield from filter(None, [_identity(file)])
    elif os.path.isdir(path) and several:
        for folder, folders, names in os.walk(path):
            folders[:] = [name for name in folders if not name.startswith(".")]
            yield from filter(None, (_identity(f"{folder}/{name}") for name in names if _is_read(name)))
    else:
        yield from filter(None, [_identity(path)])


def _is_read(name: str) -> bool:
    ending = extension(last_name(name))
    return ending in EXTENSIONS or ending in _TABLES or last_name(name).lower().endswith(TAR_ENDINGS)


def _is_own(paths: OutputPaths) -> bool:
    """Whether the file in the output's place is the one that an earlier run left there."""
    record = Path(paths.state, FILE_RECORD)
    if is_remote(paths.state) or not record.exists():
        return False
    return OwnershipRecord(record).describes(target(paths.output), Path(local_path(paths.output)))


def _is_within(path: str, folder: str) -> bool:
    return os.path.isdir(folder) and os.path.realpath(path).startswith(f"{os.path.realpath(folder)}/")


def _is_picture(path: str) -> bool:
    """Whether a file that is there begins as a picture does."""
    if not is_file(path):
        return False

    def read() -> bytes:
        with open(path, "rb") as file:  # noqa: PTH123 - a string, see above
            return file.read(64)

    return sniff_format(or_none(read) or b"") in MIMES


def _is_folder(path: str) -> bool:
    return path.endswith("/") or (not is_remote(path) and (or_none(lambda: os.path.isdir(path)) or False))


def _identity(path: str) -> tuple[int, int] | None:
    status = or_none(lambda: os.stat(path))
    return (status.st_dev, status.st_ino) if status else None
