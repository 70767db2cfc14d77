"""Outputs of cutline that lie inside an input: they and what belongs to them are not read as input."""

# Paths stay strings: they come from listings.
# ruff: noqa: PTH110, PTH118

from __future__ import annotations

import dataclasses
import functools
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from cutline.errors import PictureError
from cutline.regular_files import open_regular
from cutline.serialization import decode_object
from cutline.storage import ResolvedPath, absolute, is_remote

STATE_ENDING = ".cutline"
FAILURES_ENDING = ".failures.jsonl"
REJECTED_ENDING = ".rejected.jsonl"
FILE_RECORD, SHARDS_RECORD = "output.json", "shards.jsonl"  # in a state folder, by what the output is
COMPARISON_RECORD = "comparison.json"
OWNER = "owner.json"  # of the lock of a state folder
# What cannot be made again: of a run, of submitted batches, of an edited dataset. The folder of a
# comparison has none of them, as its candidates are runs with folders of their own.
_RECORDS = ("journal.jsonl", "batches.json", "history.sqlite", FILE_RECORD, SHARDS_RECORD)
_SHARD = re.compile(r"\d{5,}\.tar")
_PIECE = re.compile(r"(.+)-\d{5,}(\.\w+)")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunPaths:
    """Where a run reads and writes: its input, if it has one, its output, its state folder and its lists.

    ``failures`` and ``rejected`` list the pictures that failed, and those that a rule, filter or check
    skipped. ``input_folder``: the absolute form of the input, or of the folder before its pattern.
    ``numbered``: the output is written as several files with numbers in their names.
    """

    input: ResolvedPath | None
    input_folder: str
    output: ResolvedPath
    state: ResolvedPath
    failures: ResolvedPath
    rejected: ResolvedPath
    numbered: bool = False


def rejected_list(failures: str) -> str:
    """The path or URL of the list of rejected pictures that is beside a list of failures."""
    stem = failures.removesuffix(FAILURES_ENDING[1:])
    return failures + REJECTED_ENDING if stem == failures else stem + REJECTED_ENDING[1:]


class OutputFilter:
    """Finds the outputs among the files below an input: the run's own, and those with their state beside.

    An output folder of shards is left out by its shards alone. ``root`` is the input's folder, which is read
    even if it is itself an earlier run's output.
    """

    def __init__(self, root: str, own: RunPaths | None, *, others: bool = True) -> None:
        """``others``: whether outputs of other runs are left out too."""
        self._others = others
        self._numbered = own is not None and own.numbered
        self._root = absolute(root)
        paths = (own.output, own.state, own.failures, own.rejected) if own else ()
        self._own = frozenset(path.absolute for path in paths)
        self._own_output = own.output.absolute if own else ""
        self._listed: Mapping[str, frozenset[str]] | None = None  # of remote storage, by folders
        self._make_caches()

    def _make_caches(self) -> None:
        self._place = functools.lru_cache(maxsize=10_000)(absolute)
        self._local = functools.lru_cache(maxsize=10_000)(_local_outputs)

    def __getstate__(self) -> dict[str, Any]:
        """What a process that gets it needs; it makes caches of its own."""
        return {name: value for name, value in vars(self).items() if name not in {"_place", "_local"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._make_caches()

    def _known(self, folder: str) -> frozenset[str]:
        """The names of the outputs in a folder."""
        return self._local(folder) if self._listed is None else self._listed.get(folder, frozenset())

    def is_state(self, folder: str) -> bool:
        """Whether a folder below the input holds the state of a run."""
        return folder.rstrip("/").endswith(STATE_ENDING) or bool(self._own and absolute(folder) in self._own)

    def inputs(self, files: Iterable[str], states: Sequence[str] = ()) -> list[str]:
        """The files that are not outputs, in their order.

        ``states``: further files, in state folders; those of remote ones show what the outputs are.
        """
        files = list(files)
        if any(map(is_remote, files)):
            self._listed = _remote_outputs([*files, *states])
        return [file for file in files if not self._is_output(file)]

    def _is_output(self, file: str) -> bool:
        folder, _, name = file.rpartition("/")
        folder, top = self._place(folder or "."), self._root
        place = f"{folder}/{name}"
        if place in self._own or (self._numbered and _whole(place) in self._own):
            return True
        if self._others and not {name, _whole(name)}.isdisjoint(self._known(folder)):
            return True
        if _SHARD.fullmatch(name) and (folder == self._own_output or self._is_known(folder)):
            return True
        while len(folder) > len(top):
            if self.is_state(folder):
                return True
            folder = folder.rpartition("/")[0]
        return False

    def _is_known(self, folder: str) -> bool:
        """Whether a folder below the root is an output itself."""
        parent, _, name = folder.rpartition("/")
        return self._others and len(folder) > len(self._root) and name in self._known(parent)


def _local_outputs(folder: str) -> frozenset[str]:
    """The names in a folder on this machine that belong to outputs, by the state beside them."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.endswith(STATE_ENDING)]
    except OSError:
        return frozenset()
    return _names_of(names, lambda name, record: os.path.exists(os.path.join(folder, name, record)))


def _names_of(states: Iterable[str], has: Callable[[str, str], bool]) -> frozenset[str]:
    """The outputs, and the lists beside them, that some state folders belong to."""
    found: set[str] = set()
    for state in states:
        base = state.removesuffix(STATE_ENDING)
        # The folder `_X.cutline` may belong to `X`, see engine.state.
        bases = {base, base.removeprefix("_")}
        found |= {each + ending for each in bases for ending in (FAILURES_ENDING, REJECTED_ENDING)}
        if any(has(state, record) for record in (FILE_RECORD, SHARDS_RECORD)):
            found |= bases
    return frozenset(found - {""})


def _remote_outputs(files: Sequence[str]) -> Mapping[str, frozenset[str]]:
    """As ``_local_outputs`` for a whole listing of remote storage."""
    states: dict[str, set[str]] = {}
    there = set(map(absolute, files))
    for file in there:
        folder = file.rpartition("/")[0]
        while "/" in folder.partition("://")[2]:
            folder, _, name = folder.rpartition("/")
            if name.endswith(STATE_ENDING):
                states.setdefault(folder, set()).add(name)
    return {
        folder: _names_of(names, lambda name, record, at=folder: f"{at}/{name}/{record}" in there)  # type: ignore[misc]
        for folder, names in states.items()
    }


def state_folder_of(path: str) -> str:
    """The state folder of a run or dataset that an absolute path is in; empty where it is in none.

    Of a remote folder the name alone is looked at.
    """
    folder = path.rpartition("/")[0]
    while folder.strip("/") and not folder.endswith(":/"):
        remote, named = is_remote(folder), folder.endswith(STATE_ENDING)
        if (named and remote) or (
            not remote and (named or os.path.lexists(f"{folder}/{OWNER}")) and is_state_of_run(folder)
        ):
            return folder
        folder = folder.rpartition("/")[0]
    return ""


def is_state_of_run(folder: str) -> bool:
    """Whether a folder on this machine holds what a run, a batch or an edited dataset cannot make again."""
    return any(os.path.lexists(f"{folder}/{record}") for record in _RECORDS)


def state_of_output(path: str) -> str:
    """The state folder beside an output on this machine, a part or shard of one, or a list beside it.

    Empty for any other path; ``path`` is absolute.
    """
    folder, _, name = path.rpartition("/")
    listed = (name.removesuffix(ending) for ending in (FAILURES_ENDING, REJECTED_ENDING))
    outputs = [f"{folder}/{one}" for one in (name, _whole(name), *listed) if one]
    places: list[tuple[str, tuple[str, ...]]] = [(output, _RECORDS) for output in outputs]
    if _SHARD.fullmatch(name):
        places.append((folder, (SHARDS_RECORD,)))
    for output, records in places:
        for state in states_beside(output):
            if any(os.path.lexists(f"{state}/{record}") for record in records):
                return state
    return ""


def is_written_whole(state: str) -> bool:
    """Whether the output of a state folder on this machine is files that only its run may change.

    Texts beside pictures are others' too: of their runs, and of edits, anyone may add or replace some.
    """
    return any(
        os.path.lexists(f"{state}/{record}") for record in (FILE_RECORD, SHARDS_RECORD, "batches.json")
    )


def states_beside(output: str) -> tuple[str, str]:
    """Where the state of an output may be that has it beside it, see engine.state."""
    folder, _, name = output.rpartition("/")
    return f"{folder}/{name}{STATE_ENDING}", f"{folder}/_{name}{STATE_ENDING}"


def is_failures_list(path: str) -> bool:
    """Whether a file on this machine begins as a run's list of failures."""
    return {"key", "kind", "message"} <= (columns := _first_columns(path)) and "caption" not in columns


def is_rejected_list(path: str) -> bool:
    """Whether a file on this machine begins as a run's list of rejected pictures."""
    columns = _first_columns(path)
    return {"image_id", "rule", "reason", "kept"} <= columns and "caption" not in columns


def _first_columns(path: str) -> frozenset[str]:
    """The names in the first line of a file of JSON lines; none where it is none, as for a pipe."""
    try:
        descriptor, _ = open_regular(path)
        with os.fdopen(descriptor, "rb") as file:
            return frozenset(decode_object(file.readline(1 << 20)) or {})
    except (OSError, PictureError):
        return frozenset()


def _whole(path: str) -> str:
    """The name of the output that a numbered file is a part of; empty for other names."""
    found = _PIECE.fullmatch(path)
    return f"{found[1]}{found[2]}" if found else ""
