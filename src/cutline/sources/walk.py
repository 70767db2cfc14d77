"""The files of a folder and its sub-folders, in the order of their paths, as they are found."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH110, PTH116, PTH118

from __future__ import annotations

import dataclasses
import os
import re
from typing import TYPE_CHECKING, Final

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_FORMATS, OTHER_PICTURES
from cutline.locations.roots import leads_out
from cutline.locations.stored import PACKINGS
from cutline.records import Problem
from cutline.sidecars import SidecarIndex
from cutline.sources.content_types import HEAD, type_of_bytes
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import (
    OTHER_EXTENSIONS,
    extension,
    is_archive,
    is_metadata_file,
    is_unfinished,
    picture_ending,
)
from cutline.sources.options import SourceOptions
from cutline.sources.outputs import OutputFilter
from cutline.sources.patterns import Pattern
from cutline.sources.unknown_files import first_bytes, is_picture, sniff_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_HIDDEN, _UNKNOWN, _METADATA = "hidden", "unknown", "metadata"
_TABLES: Final = frozenset({"parquet", "arrow", "tar"})
_URL: Final = re.compile(rb"(\xef\xbb\xbf)?\s*https?://\S+\s*(\n|$)")
_MOST_LISTS: Final = 50  # more texts without pictures in one folder are captions


@dataclasses.dataclass(slots=True)
class Found:
    """A picture's name within its folder, the names of its sidecars, or why it cannot be read.

    ``values``: the names of JSON files about it. ``left_over``: the kind of what is not a sample, empty for a
    picture.
    """

    name: str
    sidecars: Sequence[str] = ()
    values: Sequence[str] = ()
    problem: Problem | None = None
    left_over: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WalkOptions:
    """``outputs``: those of runs, which are not read. ``excluded``: whether a path is left out.

    ``texts``: the ending of texts beside pictures. ``pattern``: which files are read; None for all.
    ``follow_links``: whether metadata files may lie out of the root.
    """

    recursive: bool
    outputs: OutputFilter
    excluded: Callable[[str], bool]
    texts: str = ".txt"
    pattern: Pattern | None = None
    follow_links: bool = False

    def covers(self, path: str) -> bool:
        return self.pattern is None or self.pattern.covers(path)

    def enters(self, folder: str) -> bool:
        return self.recursive if self.pattern is None else self.pattern.may_hold(folder)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Relative paths from ``start`` up to ``stop``; ``loops`` are the links that a whole walk leaves out."""

    start: str = ""
    stop: str | None = None
    loops: frozenset[str] | None = None

    @property
    def is_whole(self) -> bool:
        return not self.start and self.stop is None

    def has(self, path: str) -> bool:
        return path >= self.start and (self.stop is None or path < self.stop)

    def meets(self, prefix: str) -> bool:
        """Whether any path with that prefix may be in the range."""
        before = prefix < self.start and not self.start.startswith(prefix)
        return not before and (self.stop is None or prefix < self.stop)


class Walk:
    """Depth first, in the order of relative paths; ``loops``: linked folders that were not followed."""

    def __init__(self, root: str, part: Range, options: WalkOptions, notes: LeftOvers | None = None) -> None:
        self._options = options
        self._root = root
        self._part = part
        self._notes = notes or LeftOvers()
        self._followed: set[tuple[int, int]] = set()
        self.loops: set[str] = set()

    def pictures(self) -> Iterator[tuple[str, str, Found]]:
        """The folder, its path relative to the root with a final ``/``, and what was found in it."""
        part, options = self._part, self._options
        stack = [_Folder(self._root, "", ())]
        while stack:
            top = stack[-1]
            for name, entry in top.listing(options.texts):
                path = top.prefix + name
                if isinstance(entry, Found):
                    if not part.has(path) or (name and not options.covers(path)):
                        continue
                    if name and options.excluded(path):
                        self._notes.note("excluded", path)
                    elif not entry.left_over:
                        yield top.path, top.prefix, entry
                    else:
                        self._note(entry, top.path, path)
                elif options.enters(path) and part.meets(path) and not options.outputs.is_state(entry.path):
                    if options.excluded(path):
                        self._notes.note("excluded-folder", path)
                        continue
                    if entry.is_symlink() and self._closes_loop(entry, path, top.parents):
                        self.loops.add(path)
                        continue
                    stack.append(_Folder(entry.path, path, top.parents))
                    break
            else:
                stack.pop()

    def _note(self, entry: Found, folder: str, path: str) -> None:
        """Count what is not a sample, but for a metadata file that is not used on purpose."""
        kind, file = entry.left_over, os.path.join(folder, entry.name)
        if kind == _METADATA:
            kind = "" if _names_pictures(file) else "unread-metadata"
            if not self._options.follow_links and leads_out(file, self._root):
                kind = "linked-text"
        if kind == "archive" and not self._options.outputs.inputs([file]):
            kind = ""  # the output of a run
        if kind:
            self._notes.note(kind, path)

    def _closes_loop(self, entry: os.DirEntry[str], path: str, parents: tuple[tuple[int, int], ...]) -> bool:
        """Whether a linked folder is one of its own parents, or was followed before."""
        try:
            status = os.stat(entry.path)
        except OSError:
            return False  # the listing of the folder will say what is wrong with it
        identity = (status.st_dev, status.st_ino)
        known = self._part.loops
        if identity in parents or (identity in self._followed if known is None else path in known):
            return True
        self._followed.add(identity)
        return False


class _Folder:
    """One folder on the way from the root to where the walk is."""

    def __init__(self, path: str, prefix: str, parents: tuple[tuple[int, int], ...]) -> None:
        self.path = path
        self.prefix = prefix
        try:
            status = os.stat(path)
        except OSError:
            self.parents = parents
        else:
            self.parents = (*parents, (status.st_dev, status.st_ino))
        self._entries: Iterator[tuple[str, Found | os.DirEntry[str]]] | None = None

    def listing(self, texts: str) -> Iterator[tuple[str, Found | os.DirEntry[str]]]:
        """The rest of the entries: continues where the last loop over it stopped."""
        if self._entries is None:
            self._entries = self._list(texts)
        return self._entries

    def _list(self, texts: str) -> Iterator[tuple[str, Found | os.DirEntry[str]]]:
        found = _Entries(beside={"json": [], texts[1:]: []})
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    found.add(entry)
        except OSError as error:
            if not self.prefix:
                raise ConfigError(f"{name_to_text(self.path)} cannot be read: {error.strerror}") from error
            message = f"the folder cannot be read: {error.strerror}"
            yield "", Found("", problem=Problem(kind="unreadable-folder", message=message))
        found.add_lists(self.path, texts[1:])
        files, folders = found.files, found.folders
        index, values = (SidecarIndex(sorted(found.beside[one[1:]]), one) for one in (texts, ".json"))
        for name in sorted([*files, *folders]):
            if name in folders:
                yield name, folders[name]
            else:
                problem = files[name]
                if isinstance(problem, str):
                    yield from _unknown(name, os.path.join(self.path, name), index, problem)
                else:
                    texts_of = () if problem else index.of(name)
                    yield name, Found(name, texts_of, values.of(name), problem)


@dataclasses.dataclass(slots=True)
class _Entries:
    """The entries of one folder: pictures with their problem, or ``_UNKNOWN`` and ``_HIDDEN`` files.

    ``beside``: the files beside pictures that are read, by their ending.
    """

    beside: dict[str, list[str]]
    files: dict[str, Problem | str | None] = dataclasses.field(default_factory=dict)
    folders: dict[str, os.DirEntry[str]] = dataclasses.field(default_factory=dict)

    def add(self, entry: os.DirEntry[str]) -> None:
        """Puts one entry where it belongs; the kind comes with the listing, without a look at the file."""
        name = entry.name
        ending = extension(name)
        if name.startswith("."):
            if ending in EXTENSIONS and not name.startswith("._"):
                self.files[name] = _HIDDEN
            return
        try:
            if entry.is_dir():
                self.folders[name + "/"] = entry
            elif ending in self.beside:
                self.beside[ending].append(name)
            elif ending in EXTENSIONS:
                self.files[name] = None if entry.is_file() else _no_file(entry)
            elif kind := _other_kind(name, ending, entry):
                self.files[name] = kind
        except OSError as error:
            if ending in EXTENSIONS:
                message = f"the link leads nowhere: {error.strerror}"
                self.files[name] = Problem(kind="missing", message=message)

    def add_lists(self, folder: str, ending: str) -> None:
        """Put lists of URLs among the files: texts without a picture that begin with one."""
        pictures = {stem for name in self.files for stem in (name, name.rpartition(".")[0])}
        alone = [name for name in self.beside[ending] if name.rpartition(".")[0] not in pictures]
        if len(alone) <= _MOST_LISTS:
            for name in alone:
                if _URL.match(first_bytes(os.path.join(folder, name))):
                    self.files[name] = "unread-list"


def _other_kind(name: str, ending: str, entry: os.DirEntry[str]) -> str:
    """The kind of a file without a picture's ending, empty if it is not a picture."""
    if is_unfinished(name):
        return "unfinished-download"
    if ending not in OTHER_EXTENSIONS:
        return _UNKNOWN if entry.is_file() else ""
    if is_metadata_file(name):
        return _METADATA
    if ending in PACKINGS and picture_ending(name):
        return "packed-picture"
    return "archive" if is_archive(name) else ""


def _names_pictures(file: str) -> bool:
    """Whether a metadata file can be read as one: then its pictures are read without it on purpose."""
    from cutline.sources.table_files import open_table

    try:
        return "file_name" in open_table(file, SourceOptions()).columns
    except ConfigError:
        return False


def _unknown(name: str, file: str, index: SidecarIndex, kind: str) -> Iterator[tuple[str, Found]]:
    """A file whose ending is not a picture's, if by its first bytes or by its ending it is one after all."""
    if kind != _UNKNOWN:
        yield name, Found(name, left_over=kind)
        return
    head = first_bytes(file, HEAD)
    if is_picture(kind := sniff_bytes(head)):
        yield name, Found(name, index.of(name))
    elif kind in OTHER_FORMATS or extension(name) in OTHER_PICTURES:
        yield name, Found(name, left_over="unsupported-format")
    elif type_of_bytes(head) in (_TABLES if extension(name) else {*_TABLES, "jsonl"}):
        yield name, Found(name, left_over="unnamed-table")


def _no_file(entry: os.DirEntry[str]) -> Problem:
    if entry.is_symlink() and not os.path.exists(entry.path):
        return Problem(kind="missing", message="the link leads nowhere")
    return Problem(kind="not-a-file", message="a pipe, socket or device, not a picture", skip=True)
