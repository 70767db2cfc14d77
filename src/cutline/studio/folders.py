"""Folders that the page may open, with their numbers of pictures."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH118

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.sources.names import TABLE_EXTENSIONS, is_tar, table_ending
from cutline.sources.outputs import FAILURES_ENDING, REJECTED_ENDING

_FOLDERS: Final = 1_000  # of one listing
_ENTRIES: Final = 20_000  # looked at to count the pictures of one listing


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FolderEntry:
    """A folder, and the pictures below it; ``is_more``: there are more than were counted."""

    name: str
    path: str
    pictures: int
    is_more: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputEntry:
    """A file that can be opened: ``kind`` is ``table`` or ``shard``, ``size`` in bytes."""

    name: str
    path: str
    kind: str
    size: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing(FolderEntry):
    """A folder and its sub-folders; ``parent`` is None if the page may not open it, "" for the roots.

    ``outputs``: tables and tars in it.
    """

    parent: str | None
    folders: tuple[FolderEntry, ...]
    outputs: tuple[OutputEntry, ...] = ()


def is_output_name(name: str) -> bool:
    """Whether a file is a table or a tar by its name, but not a list beside an output."""
    is_other = name.endswith((FAILURES_ENDING, REJECTED_ENDING)) or name.startswith(".")
    return not is_other and (table_ending(name) in TABLE_EXTENSIONS or is_tar(name))


@dataclasses.dataclass(slots=True)
class Counter:
    """Counts pictures by name, up to a number of examined entries."""

    left: int = _ENTRIES

    def count(self, folder: str) -> tuple[int, bool]:
        """The number of pictures below a folder, and whether it is incomplete. Links are not followed."""
        pictures, folders = 0, [folder]
        while folders:
            try:
                with os.scandir(folders.pop()) as entries:
                    for entry in entries:
                        if self.left <= 0:
                            return pictures, True
                        self.left -= 1
                        if entry.name.startswith("."):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            if not entry.name.endswith(".cutline"):
                                folders.append(entry.path)
                        elif entry.name.rpartition(".")[2].lower() in EXTENSIONS:
                            pictures += 1
            except OSError:  # it cannot be read
                continue
        return pictures, False


def listing(folder: str, roots: Sequence[Path]) -> Listing:
    """The contents of a folder, by name; those of the roots if ``folder`` is empty and there are several.

    OSError: it cannot be read.
    """
    tops = [os.path.realpath(root) for root in roots]
    if not folder and len(tops) != 1:
        entries = tuple(_entry(top, _ENTRIES) for top in tops)
        return Listing(name="", path="", pictures=0, is_more=False, parent=None, folders=entries)
    folder = os.path.realpath(folder or tops[0])
    names = _folders_in(folder, roots)
    share = _ENTRIES // max(1, min(len(names), 100))
    parent: str | None = name_to_text(str(Path(folder).parent))
    if folder in tops:
        parent = "" if len(tops) > 1 else None
    here = _entry(folder, _ENTRIES)
    return Listing(
        name=here.name,
        path=here.path,
        pictures=here.pictures,
        is_more=here.is_more,
        parent=parent,
        folders=tuple(_entry(os.path.join(folder, name), share) for name in names),
        outputs=tuple(_outputs_in(folder, roots)),
    )


def _folders_in(folder: str, roots: Sequence[Path]) -> list[str]:
    with os.scandir(folder) as entries:
        names = [
            entry.name
            for entry in entries
            if entry.name[0] != "." and not entry.name.endswith(".cutline") and entry.is_dir()
            if not entry.is_symlink() or is_below(entry.path, roots)
        ]
    return sorted(names, key=str.casefold)[:_FOLDERS]


def is_below(path: str, roots: Sequence[Path]) -> bool:
    """Whether a path is, after links were followed, a root or below one."""
    try:
        found = Path(path).resolve()
        return any(found.is_relative_to(root.resolve()) for root in roots)
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of links
        return False


def _outputs_in(folder: str, roots: Sequence[Path]) -> list[OutputEntry]:
    """Whether it is an output; JSON files of single pictures are not."""
    with os.scandir(folder) as entries:
        files = [entry for entry in entries if entry.is_file()]
        files = [file for file in files if not file.is_symlink() or is_below(file.path, roots)]
    pictures = {_stem(file.name) for file in files if _ending(file.name) in EXTENSIONS}
    found = [
        OutputEntry(
            name=name_to_text(file.name),
            path=name_to_text(file.path),
            kind="shard" if is_tar(file.name) else "table",
            size=file.stat().st_size,
        )
        for file in files
        if is_output_name(file.name) and not (_ending(file.name) == "json" and _stem(file.name) in pictures)
    ]
    return sorted(found, key=lambda one: one.name.casefold())[:_FOLDERS]


def _ending(name: str) -> str:
    return name.rpartition(".")[2].lower()


def _stem(name: str) -> str:
    return name.rpartition(".")[0]


def _entry(folder: str, entries: int) -> FolderEntry:
    pictures, is_more = Counter(entries).count(folder)
    name = name_to_text(Path(folder).name or folder)
    return FolderEntry(name=name, path=name_to_text(folder), pictures=pictures, is_more=is_more)
