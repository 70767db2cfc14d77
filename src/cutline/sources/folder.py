"""Pictures in a folder: a sorted walk that starts to deliver before it has seen everything."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH110, PTH112, PTH116, PTH118

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

from cutline.errors import ConfigError, SampleError
from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.interfaces import Source
from cutline.locations.stored import LocalFile
from cutline.records import Problem, Sample
from cutline.sidecars import EncodingReport, SidecarIndex, decode, read
from cutline.sources.names import extension, no_pictures
from cutline.sources.outputs import OutputFilter
from cutline.sources.parts import copy_with, ranges
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cutline.sources.options import SourceOptions
    from cutline.sources.outputs import OutputPaths
    from cutline.sources.remote import RemoteFolderSource


_PRECISION = 64
"""Places where a shard may begin, for each shard."""


class FolderSource(Source):
    """One picture file, or every picture below a folder, by path.

    Keys are paths relative to the folder, with ``/``; hidden files and folders are left out. A linked folder
    is followed once, and never into one of its own parents.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, recursive: bool = True, outputs: OutputPaths | None = None
    ) -> None:
        """Raises ConfigError when there is no such file or folder; ``outputs`` as in ``SourceOptions``."""
        self._path = os.fspath(path)
        self._recursive = recursive
        self._outputs = outputs
        self._range = _Range()
        self._encodings = EncodingReport()
        if not os.path.exists(self._path):
            raise ConfigError(f"{name_to_text(self._path)} does not exist")
        self._single = not os.path.isdir(self._path)

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> FolderSource | RemoteFolderSource:
        if is_remote(path):
            from cutline.sources.remote import RemoteFolderSource

            return RemoteFolderSource(path, recursive=options.recursive)
        return cls(path, recursive=options.recursive, outputs=options.outputs)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when the folder cannot be read or holds no picture."""
        self._encodings.clear()
        if self._single:
            folder, name = os.path.split(self._path)
            yield self._sample(folder, "", _Found(name, _text_files(folder).of(name)), self._top)
            return
        found = False
        top = self._top
        for folder, prefix, entry in self._walk().pictures():
            found = True
            yield self._sample(folder, prefix, entry, top)
        if not found and not self._range.start:
            raise ConfigError(no_pictures(name_to_text(self._path)))

    def shards(self, count: int) -> list[Self]:
        """By ranges of paths; each lists only the folders that its range goes through."""
        if self._single:
            return [self]
        walk = self._walk()
        firsts: list[str] = []
        every = 1
        for number, (_, prefix, entry) in enumerate(walk.pictures()):
            if number % every == 0:
                firsts.append(prefix + entry.name)
            if len(firsts) >= _PRECISION * count:  # keep the memory small: each second one will do
                firsts, every = firsts[::2], 2 * every
        starts = [firsts[first] for first, _ in ranges(len(firsts), count)] if firsts else [""]
        loops = frozenset(walk.loops)
        return [
            copy_with(self, _range=_Range(start=start, stop=stop, loops=loops))
            for start, stop in zip(starts, [*starts[1:], self._range.stop], strict=True)
        ]

    def count(self) -> int:
        return 1 if self._single else sum(1 for _ in self._walk().pictures())

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    def _sample(self, folder: str, prefix: str, found: _Found, top: str) -> Sample:
        text, problem = None, found.problem
        try:
            text = self._text(folder, found.sidecars)
        except SampleError as error:
            problem = Problem(kind=error.kind, message=str(error))
        return Sample(
            key=name_to_text(prefix + found.name),
            location=None if problem else LocalFile(os.path.join(folder, found.name)),
            text=text,
            metadata={"folder": name_to_text(prefix[:-1]) or top, "file_name": name_to_text(found.name)},
            problem=problem,
        )

    def _text(self, folder: str, sidecars: Sequence[str]) -> str | None:
        for name in sidecars:
            file = os.path.join(folder, name)
            text = decode(read(file) or b"")
            if text.caption:
                self._encodings.note_read(file, text)
                return text.caption
        return None

    def _walk(self) -> _Walk:
        is_state = OutputFilter(self._path, self._outputs).is_state
        return _Walk(self._path, self._range, recursive=self._recursive, is_state=is_state)

    @property
    def _top(self) -> str:
        """The name that stands for the folder of the pictures at the top."""
        folder = Path(self._path).parent if self._single else Path(self._path)
        return name_to_text(folder.resolve().name)


@dataclasses.dataclass(slots=True)
class _Found:
    """A picture's name within its folder, the names of its sidecars, or why it cannot be read."""

    name: str
    sidecars: Sequence[str] = ()
    problem: Problem | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    """Relative paths from ``start`` up to ``stop``; ``loops`` are the links that a whole walk leaves out."""

    start: str = ""
    stop: str | None = None
    loops: frozenset[str] | None = None

    def has(self, path: str) -> bool:
        return path >= self.start and (self.stop is None or path < self.stop)

    def meets(self, prefix: str) -> bool:
        """Whether any path with that prefix may be in the range."""
        before = prefix < self.start and not self.start.startswith(prefix)
        return not before and (self.stop is None or prefix < self.stop)


class _Walk:
    """Depth first, in the order of relative paths; ``loops``: linked folders that were not followed."""

    def __init__(self, root: str, part: _Range, *, recursive: bool, is_state: Callable[[str], bool]) -> None:
        self._is_state = is_state
        self._root = root
        self._part = part
        self._recursive = recursive
        self._followed: set[tuple[int, int]] = set()
        self.loops: set[str] = set()

    def pictures(self) -> Iterator[tuple[str, str, _Found]]:
        """The folder, its path relative to the root with a final ``/``, and what was found in it."""
        pictures = EXTENSIONS
        part = self._part
        stack = [_Folder(self._root, "", ())]
        while stack:
            top = stack[-1]
            for name, entry in top.listing(pictures):
                path = top.prefix + name
                if isinstance(entry, _Found):
                    if part.has(path):
                        yield top.path, top.prefix, entry
                elif self._recursive and part.meets(path) and not self._is_state(entry.path):
                    if entry.is_symlink() and self._closes_loop(entry, path, top.parents):
                        self.loops.add(path)
                        continue
                    stack.append(_Folder(entry.path, path, top.parents))
                    break
            else:
                stack.pop()

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
        self._entries: Iterator[tuple[str, _Found | os.DirEntry[str]]] | None = None

    def listing(self, pictures: frozenset[str]) -> Iterator[tuple[str, _Found | os.DirEntry[str]]]:
        """The rest of the entries: goes on where the last loop over it stopped."""
        if self._entries is None:
            self._entries = self._list(pictures)
        return self._entries

    def _list(self, pictures: frozenset[str]) -> Iterator[tuple[str, _Found | os.DirEntry[str]]]:
        files: dict[str, Problem | None] = {}
        folders: dict[str, os.DirEntry[str]] = {}
        texts: list[str] = []
        try:
            with os.scandir(self.path) as entries:
                for entry in entries:
                    _sort_entry(entry, pictures, files, folders, texts)
        except OSError as error:
            if not self.prefix:
                raise ConfigError(f"{name_to_text(self.path)} cannot be read: {error.strerror}") from error
            message = f"the folder cannot be read: {error.strerror}"
            yield "", _Found("", problem=Problem(kind="unreadable-folder", message=message))
        index = SidecarIndex(sorted(texts))
        for name in sorted([*files, *folders]):
            if name in folders:
                yield name, folders[name]
            else:
                problem = files[name]
                yield name, _Found(name, () if problem else index.of(name), problem)


def _sort_entry(
    entry: os.DirEntry[str],
    pictures: frozenset[str],
    files: dict[str, Problem | None],
    folders: dict[str, os.DirEntry[str]],
    texts: list[str],
) -> None:
    """Puts one entry where it belongs; the kind comes with the listing, without a look at the file."""
    name = entry.name
    if name.startswith("."):
        return
    ending = extension(name)
    try:
        if entry.is_dir():
            folders[name + "/"] = entry
        elif ending == "txt":
            texts.append(name)
        elif ending in pictures:
            files[name] = None if entry.is_file() else _no_file(entry)
    except OSError as error:
        if ending in pictures:
            files[name] = Problem(kind="missing", message=f"the link leads nowhere: {error.strerror}")


def _no_file(entry: os.DirEntry[str]) -> Problem:
    if entry.is_symlink() and not os.path.exists(entry.path):
        return Problem(kind="missing", message="the link leads nowhere")
    return Problem(kind="not-a-file", message="a pipe, socket or device, not a picture", skip=True)


def _text_files(folder: str) -> SidecarIndex:
    with os.scandir(folder or ".") as entries:
        return SidecarIndex(sorted(entry.name for entry in entries))
