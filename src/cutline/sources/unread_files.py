"""Files that hold pictures and lie in an input, but are not what its source reads."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cutline.imaging import EXTENSIONS
from cutline.sources.contents import Contents, names_in
from cutline.sources.exclusion import Exclusion
from cutline.sources.names import TABLE_EXTENSIONS, UniqueKeys, extension, is_tar, table_ending
from cutline.sources.outputs import OutputFilter
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from cutline.sources.left_over import LeftOvers
    from cutline.sources.options import SourceOptions


class Named:
    """The pictures that the rows of a table name, by their paths relative to ``folder``."""

    def __init__(self, folder: str) -> None:
        self._top = _plain(folder)
        self._keys = UniqueKeys()

    def add(self, key: str) -> None:
        self._keys.is_new(key)

    def added(self, keys: Iterable[str]) -> Generator[str]:
        """The keys, each of which is added."""
        for key in keys:
            self.add(key)
            yield key

    def has(self, path: str) -> bool:
        """Whether a row names a path, given as ``folder`` is."""
        return not self._keys.is_new(_plain(path).removeprefix(f"{self._top}/"))


def _plain(path: str) -> str:
    return path.rstrip("/") if is_remote(path) else os.path.normpath(path).replace(os.sep, "/")


def note_unread(
    path: str, options: SourceOptions, notes: LeftOvers, *, read: str, named: Named | None = None
) -> None:
    """Note pictures and others of an input beside what is ``read`` of it: ``webdataset`` or ``table``."""
    root, names = names_in(path, options)
    contents, excluded = Contents(), Exclusion(options.exclude).covers
    for name in names:
        if excluded(name):
            if extension(name) in EXTENSIONS or is_tar(name) or table_ending(name) in TABLE_EXTENSIONS:
                notes.note("excluded", name)
            continue
        contents.add(name)
        if extension(name) in EXTENSIONS and not (named and named.has(f"{root.rstrip('/')}/{name}")):
            notes.note("unread-picture", name)
        elif extension(name) == "zip":
            notes.note("archive", name)
    contents.leave_out_outputs(root, OutputFilter(root, options.outputs))
    if read == "table":
        for name in contents.tars:
            notes.note("unread-shard", name)
    else:
        for name in contents.tables_of_pictures(root, options):
            notes.note("unread-table", name)
