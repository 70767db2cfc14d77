"""Pictures in a folder: a sorted walk that starts to deliver before it has seen everything."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH110, PTH112, PTH118, PTH120

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cutline.errors import ConfigError, SampleError
from cutline.files import name_to_text
from cutline.interfaces import Source
from cutline.locations.stored import LocalFile
from cutline.records import LeftOver, Problem, Sample
from cutline.serialization import decode_object
from cutline.sidecars import EncodingReport, SidecarIndex, TextDecoder, read, sidecar_ending
from cutline.sidecars.links import LinkOutside, read_inside
from cutline.sources.cells import metadata
from cutline.sources.exclusion import Exclusion
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import no_pictures
from cutline.sources.options import OF_FILES, SourceOptions
from cutline.sources.outputs import OutputFilter
from cutline.sources.parts import copy_with, ranges
from cutline.sources.patterns import Pattern, is_pattern
from cutline.sources.walk import Found, Range, Walk, WalkOptions
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cutline.sources.remote import RemoteFolderSource


_OWN = frozenset({"folder", "file_name"})  # of every picture of a folder
_PRECISION = 64
"""Places where a shard may begin, for each shard."""


class FolderSource(Source):
    """One picture file, or every picture below a folder or that a pattern covers, by path.

    Keys are paths relative to the folder, of a pattern to its fixed one, with ``/``; hidden files and folders
    are left out. A linked folder is followed once, and never into one of its own parents; texts are only
    read within the folder.
    """

    takes: ClassVar[frozenset[str]] = OF_FILES - {"user_agent"}

    def __init__(self, path: str | os.PathLike[str], options: SourceOptions | None = None) -> None:
        """Raises ConfigError when there is no such file or folder."""
        self._shown = os.fspath(path)
        self._pattern = Pattern(self._shown) if is_pattern(self._shown) else None
        self._path = self._pattern.root if self._pattern else self._shown
        self._options = options or SourceOptions()
        self._ending = sidecar_ending(self._options.sidecar_ext)
        self._notes = LeftOvers()
        self._range = Range()
        if not os.path.exists(self._path):
            raise ConfigError(f"{name_to_text(self._path)} does not exist")
        self._last = ("", "")
        self._single = not os.path.isdir(self._path)
        self._real = os.path.realpath(os.path.dirname(self._path) if self._single else self._path)
        root = os.path.dirname(self._path) or "." if self._single else self._path
        self._decoder = TextDecoder(self._options.text_encoding, root=root, ending=self._ending)
        self._encodings = EncodingReport(self._decoder)

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> FolderSource | RemoteFolderSource:
        if is_remote(path):
            from cutline.sources.remote import RemoteFolderSource

            return RemoteFolderSource(
                path,
                recursive=options.recursive,
                exclude=options.exclude,
                text_encoding=options.text_encoding,
                sidecar_ext=options.sidecar_ext,
                outputs=options.outputs,
            )
        return cls(path, options)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when the folder cannot be read or holds no picture."""
        self._encodings.clear()
        self._notes.clear()
        if self._single:
            folder, name = os.path.split(self._path)
            texts, values = (_files(folder, ending).of(name) for ending in (self._ending, ".json"))
            yield self._sample(folder, "", Found(name, texts, values), self._top)
            return
        found = False
        top = self._top
        for folder, prefix, entry in self._walk(self._notes).pictures():
            found = True
            yield self._sample(folder, prefix, entry, top)
        if not found and self._range.is_whole:
            left_over = "".join(f"; {each}" for each in self.left_over)
            raise ConfigError(no_pictures(name_to_text(self._shown)) + left_over)

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
        starts[:1] = [self._range.start]  # the first has what is before all pictures, too
        loops = frozenset(walk.loops)
        self._encodings.clear()
        self._notes.clear()
        places = (
            Range(start=start, stop=stop, loops=loops)
            for start, stop in zip(starts, [*starts[1:], self._range.stop], strict=True)
        )
        return [
            copy_with(self, _range=place, _notes=LeftOvers(), _encodings=EncodingReport(self._decoder))
            for place in places
        ]

    def count(self) -> int:
        return 1 if self._single else sum(1 for _ in self._walk().pictures())

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self._notes.records()

    def _sample(self, folder: str, prefix: str, found: Found, top: str) -> Sample:
        text, text_problem, problem = None, "", found.problem
        try:
            text, text_problem = self._text(folder, found.sidecars)
        except SampleError as error:
            problem = Problem(kind=error.kind, message=str(error))
        return Sample(
            key=name_to_text(prefix + found.name),
            location=None if problem else LocalFile(os.path.join(folder, found.name)),
            text=text,
            metadata={
                "folder": name_to_text(prefix[:-1]) or top,
                "file_name": name_to_text(found.name),
                **self._values(folder, found.values),
            },
            problem=problem,
            text_problem=text_problem,
        )

    def _text(self, folder: str, sidecars: Sequence[str]) -> tuple[str | None, str]:
        """The caption of the first sidecar that has one, and why it cannot be used."""
        for name in sidecars:
            file = os.path.join(folder, name)
            content = self._content(file)
            found = self._encodings.read(file, content or b"", folder)
            if found != (None, ""):
                return found
        return None, ""

    def _values(self, folder: str, names: Sequence[str]) -> dict[str, Any]:
        """The fields of the JSON beside a picture; other JSON is left over."""
        for name in names:
            file = os.path.join(folder, name)
            try:
                fields = decode_object(self._content(file) or b"{}")
            except SampleError:
                fields = None
            if fields is not None:
                return {name: value for name, value in metadata(fields).items() if name not in _OWN}
            self._notes.note("unread-json", file)
        return {}

    def _content(self, file: str) -> bytes | None:
        return read(file) if self._options.follow_links else self._inside(file)

    def _inside(self, file: str) -> bytes | None:
        """A text that is in the input after links; of others nothing is read."""
        try:
            return read_inside(file, self._real, folder=self._real_folder(os.path.dirname(file)))
        except LinkOutside:
            self._notes.note("linked-text", file)
            return None

    def _real_folder(self, folder: str) -> str:
        if folder != self._last[0]:
            self._last = (folder, os.path.realpath(folder))
        return self._last[1]

    def _walk(self, notes: LeftOvers | None = None) -> Walk:
        options = self._options
        walk = WalkOptions(
            recursive=options.recursive,
            outputs=OutputFilter(self._path, options.outputs),
            excluded=Exclusion(options.exclude).matches,
            texts=self._ending,
            pattern=self._pattern,
            follow_links=options.follow_links,
        )
        return Walk(self._path, self._range, walk, notes)

    @property
    def _top(self) -> str:
        """The name that stands for the folder of the pictures at the top."""
        folder = Path(self._path).parent if self._single else Path(self._path)
        return name_to_text(folder.resolve().name)


def _files(folder: str, ending: str) -> SidecarIndex:
    with os.scandir(folder or ".") as entries:
        return SidecarIndex(sorted(entry.name for entry in entries), ending)
