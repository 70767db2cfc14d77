"""Finds what a folder holds, here or on remote storage: pictures, webdataset shards or tables."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.formatting import plural
from cutline.imaging import EXTENSIONS
from cutline.locations.roots import leads_out
from cutline.sources.content_types import table_type
from cutline.sources.exclusion import Exclusion
from cutline.sources.input_files import on_storage
from cutline.sources.linked_folders import walk_folders
from cutline.sources.names import (
    PAIRS,
    TABLE_EXTENSIONS,
    is_metadata_file,
    is_part,
    is_tar,
    table_ending,
    without_tar_ending,
)
from cutline.sources.outputs import STATE_ENDING, OutputFilter
from cutline.sources.patterns import Pattern, is_pattern
from cutline.sources.picture_cells import is_elsewhere
from cutline.storage import is_remote, open_storage

if TYPE_CHECKING:
    from cutline.sources.options import SourceOptions

_MAX_STRAY = 1000  # pictures beside a list of others; with more, they are what is to be captioned
_MAX_LISTS = 20  # tables beside pictures that are looked into
COLUMNAR = frozenset({"parquet", "arrow", "feather"})


@dataclasses.dataclass(slots=True)
class _Files:
    """Files of one kind: how many there are, and the first of them."""

    count: int = 0
    first: str = ""

    def add(self, name: str) -> None:
        self.first = self.first or name
        self.count += 1


@dataclasses.dataclass(slots=True)
class Contents:
    """The files of a folder by kind, as paths relative to it.

    ``metadata`` is that of an imagefolder, ``parts`` are files as Spark and Hadoop name them,
    ``states`` those in state folders of runs.
    """

    pictures: _Files = dataclasses.field(default_factory=_Files)
    zips: _Files = dataclasses.field(default_factory=_Files)
    tars: list[str] = dataclasses.field(default_factory=list)
    tables: list[str] = dataclasses.field(default_factory=list)
    text_tables: list[str] = dataclasses.field(default_factory=list)
    metadata: list[str] = dataclasses.field(default_factory=list)
    parts: list[str] = dataclasses.field(default_factory=list)
    states: list[str] = dataclasses.field(default_factory=list)
    has_texts: bool = False

    def add(self, path: str) -> None:
        if f"{STATE_ENDING}/" in path:
            self.states.append(path)
            return
        ending = table_ending(path)
        self.has_texts |= ending == "txt"
        if ending in EXTENSIONS:
            self.pictures.add(path)
        elif ending == "zip":
            self.zips.add(path)
        elif is_tar(path):
            self.tars.append(path)
        elif ending in TABLE_EXTENSIONS:
            if is_metadata_file(path):
                self.metadata.append(path)
            (self.tables if ending in COLUMNAR else self.text_tables).append(path)
        elif is_part(path):
            self.parts.append(path)

    def tables_of_pictures(self, root: str, options: SourceOptions) -> list[str]:
        """The Parquet and Arrow files with pictures or URLs, but for img2dataset's lists of its tars."""
        if {_stem(name) for name in self.tables} <= {_stem(name) for name in self.tars}:
            return []
        return _with_pictures(root, self.tables, options)

    def leave_out_outputs(self, root: str, outputs: OutputFilter) -> None:
        states = [_join(root, name) for name in self.states]
        for names in (self.tars, self.tables, self.text_tables, self.metadata):
            paths = {_join(root, name): name for name in names}
            names[:] = [paths[path] for path in outputs.inputs(paths, states)]


def source_type_of_names(path: str, names: Iterable[str], options: SourceOptions, shown: str = "") -> str:
    """The registered name of the source for files with these names, relative to ``path``.

    ``shown`` is the input as it was given. Raises ConfigError where they are of several kinds and it is open
    which to caption.
    """
    contents, excluded = Contents(), Exclusion(options.exclude).covers
    for name in names:
        if not excluded(name):
            contents.add(name)
    contents.leave_out_outputs(path, OutputFilter(path, options.outputs))
    return _choose(path, contents, options, name_to_text(shown or path))


def folder_type(path: str, options: SourceOptions) -> str:
    """As ``source_type_of_names``, for all files of a folder or pattern; ConfigError: it covers none."""
    root, names = names_in(path, options)
    if not is_pattern(path):
        return source_type_of_names(root, names, options)
    first = next(names, None)
    if first is None:
        raise ConfigError(f"{path}: no file matches this pattern")
    return source_type_of_names(root, itertools.chain([first], names), options, path)


def names_in(path: str, options: SourceOptions) -> tuple[str, Iterator[str]]:
    """The folder of a folder or pattern, and the files in it or those that are covered, relative to it."""
    pattern = Pattern(path) if is_pattern(path) else None
    root = pattern.root if pattern else path
    names = _remote(root, options) if is_remote(path) else _local(root, options, pattern)
    return root, filter(pattern.covers, names) if pattern else names


def _local(path: str, options: SourceOptions, pattern: Pattern | None) -> Iterator[str]:
    top = len(os.path.join(path, ""))  # noqa: PTH118 - names need not be Unicode
    for folder, folders, files in walk_folders(path):
        prefix = folder[top:].replace(os.sep, "/")
        prefix += "/" if prefix else ""
        deeper = (name for name in folders if _is_read(prefix + name, options, pattern))
        folders[:] = sorted(name for name in deeper if not name.startswith("."))
        for name in sorted(files) if len(files) < 10_000 else files:
            if not name.startswith(".") and not _is_elsewhere(folder, name, path, options):
                yield prefix + name


def _is_elsewhere(folder: str, name: str, top: str, options: SourceOptions) -> bool:
    """Whether a name is a metadata file that lies out of the input, behind a link."""
    if not is_metadata_file(name) or options.follow_links:
        return False
    return leads_out(os.path.join(folder, name), top)  # noqa: PTH118 - names need not be Unicode


def _is_read(folder: str, options: SourceOptions, pattern: Pattern | None) -> bool:
    return pattern.may_hold(folder) if pattern else options.recursive


def _remote(path: str, options: SourceOptions) -> Iterator[str]:
    system, root = open_storage(path)
    root = root.rstrip("/")
    depth = None if options.recursive else 1
    for name in sorted(on_storage(path, lambda: system.find(root, maxdepth=depth))):
        key = name[len(root) + 1 :]
        if key and not key.startswith(".") and "/." not in key:
            yield key


def _choose(path: str, contents: Contents, options: SourceOptions, shown: str) -> str:
    pictures, tars, tables = contents.pictures, contents.tars, contents.tables
    if pictures.count and contents.metadata and _named_by_metadata(path, contents, options):
        tables = [name for name in tables if name not in contents.metadata]
        if not (tars or _with_pictures(path, tables, options)):
            return "imagefolder"
    if pictures.count and not contents.has_texts and _has_pairs(path, contents, options):
        return "imagefolder"
    if pictures.count:
        tables = tables and _with_pictures(path, tables, options)
        tables = tables or _lists(path, contents, options)
    if tars and {_stem(name) for name in tables} <= {_stem(name) for name in tars}:
        tables = []  # img2dataset's: what it downloaded into the tar of the same name
    kinds = [
        ("webdataset", plural(len(tars), "tar"), tars[:1]),
        ("table", plural(len(tables), "table"), tables[:1]),
        ("local", plural(pictures.count, "picture"), [pictures.first] if pictures.count else []),
    ]
    found = [(name, f"{count} (such as {name_to_text(first[0])})") for name, count, first in kinds if first]
    if len(found) > 1:
        types = " or ".join(f"--source-type {name}" for name, _ in found)
        raise ConfigError(
            f"{shown} holds {' and '.join(text for _, text in found)}: choose what to caption "
            f"with {types}, or give the sub-folder or pattern of these files alone"
        )
    if found:
        return found[0][0]
    if contents.zips.count:
        return "zip"
    parts = contents.parts and table_type(_join(path, contents.parts[0]))
    if parts == "tar":
        return "webdataset"
    return "table" if contents.text_tables or parts else "local"


def _stem(name: str) -> str:
    return without_tar_ending(name) if is_tar(name) else name.rpartition(".")[0]


def _named_by_metadata(path: str, contents: Contents, options: SourceOptions) -> bool:
    """Whether a ``metadata`` file names pictures, as in a Hugging Face ``imagefolder``."""
    from cutline.sources.table_files import open_table

    for name in contents.metadata:
        try:
            table = open_table(_join(path, name), options)
        except ConfigError:
            continue
        if "file_name" in table.columns:
            return True
    return False


def _has_pairs(path: str, contents: Contents, options: SourceOptions) -> bool:
    """Whether an unpacked export is there: pictures, and a list of their captions."""
    if PAIRS not in contents.text_tables:
        return False
    from cutline.sources.table_files import open_table

    try:
        return set(open_table(_join(path, PAIRS), options).columns) == {"image", "caption"}
    except ConfigError:
        return False


def _with_pictures(path: str, names: list[str], options: SourceOptions) -> list[str]:
    """The tables, if the first that can be opened has a column of pictures' bytes or of URLs.

    A table of texts beside pictures, such as an earlier output, is none to be captioned.
    """
    from cutline.sources.table_files import find_columns, open_table

    for name in names:
        try:
            table = open_table(_join(path, name), options)
        except ConfigError:
            continue
        try:
            columns = find_columns(table, options)
        except ConfigError:
            return []
        holds_bytes = columns.image is not None and table.columns[columns.image] != "text"
        return names if holds_bytes or columns.url is not None else []
    return names


def _lists(path: str, contents: Contents, options: SourceOptions) -> list[str]:
    """The tables that list more pictures of elsewhere than there are beside them.

    Beside as many pictures it is the list that these were downloaded from.
    """
    count, names = contents.pictures.count, [*contents.text_tables, *contents.tables][:_MAX_LISTS]
    if not names or count > _MAX_STRAY:
        return []
    from cutline.sources.table_files import find_columns, open_table

    found = []
    for name in names:
        try:
            table = open_table(_join(path, name), options)
            columns = find_columns(table, options)
        except ConfigError:
            continue
        named = columns.image or columns.url or ""
        cells = (row.get(named) for _, row in table.rows() if isinstance(row, dict))
        if sum(1 for _ in itertools.islice(filter(is_elsewhere, cells), count + 1)) > count:
            found.append(name)
    return found


def _join(path: str, name: str) -> str:
    return f"{path.rstrip('/')}/{name}"
