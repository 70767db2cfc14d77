"""Webdataset shards: tars in which the files of one sample follow each other under one name."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, ClassVar, Self

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.interfaces import Source
from cutline.records import LeftOver, Problem, Sample
from cutline.sidecars import EncodingReport, TextDecoder
from cutline.sources.input_files import expand, open_binary
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import TAR_ENDINGS, UniqueKeys, extension, without_tar_ending
from cutline.sources.options import SourceOptions
from cutline.sources.parts import copy_with, ranges
from cutline.sources.tar_samples import Choice, TarSample, leaves_folder
from cutline.sources.tars import Member, TarDamaged, TarReader
from cutline.sources.unread_files import note_unread
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_COUNTED_BYTES = 2 * 1024**3


class WebdatasetSource(Source):
    """Samples of one tar, or of the tars of a folder, a glob pattern or a list in braces.

    The path up to the first dot of a member's name is the key; of several tars the shard's name comes before
    it, ``00000/0001``. A key that comes again becomes ``0001#2``. Damage is a failure with shard and byte.
    Links, devices and paths out of the folder are never followed; other members are carried as bytes.
    """

    takes: ClassVar[frozenset[str]] = frozenset(
        {"image_column", "sample_pictures", "recursive", "exclude", "text_encoding"}
    )

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when no tar is there."""
        self._path, self._whole = path, True
        self._options = options or SourceOptions()
        if path.startswith("pipe:"):
            raise ConfigError("'pipe:' inputs would run a command; give the path of the tar instead")
        if self._options.image_column is not None and self._options.has("sample_pictures"):
            raise ConfigError(
                "--image-column takes one picture of a sample, --sample-pictures each takes all: remove one"
            )
        self._root, self._shards = expand(
            path,
            TAR_ENDINGS,
            recursive=self._options.recursive,
            outputs=self._options.outputs,
            exclude=self._options.exclude,
        )
        self._notes = LeftOvers()
        self._decoder = TextDecoder(self._options.text_encoding)
        self._encodings = EncodingReport(self._decoder)
        self._short_names = Counter(without_tar_ending(shard[len(self._root) :]) for shard in self._shards)
        if not self._root:
            open_binary(self._shards[0]).close()

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> WebdatasetSource:
        return cls(path, options)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when a single tar cannot be opened; of several, that is one failure."""
        self._encodings.clear()
        self._notes.clear()
        for shard in self._shards:
            name = self._name(shard)
            try:
                file = open_binary(shard)
            except ConfigError as error:
                if not self._root:
                    raise
                yield Sample(key=name, location=None, problem=Problem(kind="missing", message=str(error)))
                continue
            with file:
                yield from self._shard(shard, name, file)
        if self._whole and self._root:
            note_unread(self._path, self._options, self._notes, read="webdataset")

    def shards(self, count: int) -> list[Self]:
        """By files, never within one. What lies beside them is noted here, as no part sees all."""
        self._encodings.clear()
        self._notes.clear()
        if self._whole and self._root:
            note_unread(self._path, self._options, self._notes, read="webdataset")
        parts = (self._shards[start:stop] for start, stop in ranges(len(self._shards), count))
        return [self._part(shards) for shards in parts]

    def _part(self, shards: Sequence[str]) -> Self:
        encodings = EncodingReport(self._decoder)
        return copy_with(self, _shards=shards, _notes=LeftOvers(), _encodings=encodings, _whole=False)

    def count(self) -> int | None:
        """Reads the headers of small inputs; None where that would take long."""
        if any(is_remote(shard) or not shard.lower().endswith(".tar") for shard in self._shards):
            return None
        sizes = (Path(shard).stat().st_size for shard in self._shards if Path(shard).is_file())
        counted = self._part(self._shards)
        return sum(1 for _ in counted.samples()) if sum(sizes) <= MAX_COUNTED_BYTES else None

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self._notes.records()

    def _name(self, shard: str) -> str:
        """What the shard is called in keys: its path without ``.tar``, unless another shard has that too."""
        if not self._root:
            return name_to_text(Path(shard).name)
        name = shard[len(self._root) :]
        short = without_tar_ending(name)
        return name_to_text(short if self._short_names[short] == 1 else name)

    def _shard(self, shard: str, name: str, file: BinaryIO) -> Iterator[Sample]:
        keys = UniqueKeys()
        prefix = f"{name}/" if self._root else ""
        members = _Members(shard, name, file, self._choice())
        for group in members.samples():
            yield from group.samples(prefix, keys)
        for damage, resumed in members.damages:
            lost = "the rest of the tar is" if resumed is None else f"what is there up to byte {resumed:,} is"
            message = f"{name_to_text(shard)}: byte {damage.offset:,}: {damage}; {lost} lost"
            problem = Problem(kind="damaged-shard", message=message)
            yield Sample(key=keys.unique(f"{name}@{damage.offset}"), location=None, problem=problem)

    def _choice(self) -> Choice:
        return Choice(
            column=self._options.image_column,
            each=self._options.sample_pictures == "each",
            notes=self._notes,
            encodings=self._encodings,
        )


class _Members:
    """The members of a tar by samples.

    ``damages``: where it is broken, each with the byte from which it was read on, None for nowhere. Samples
    at such places are ``cut``.
    """

    def __init__(self, shard: str, name: str, file: BinaryIO, choice: Choice) -> None:
        self._shard = shard
        self._name = name
        self._file = file
        self._choice = choice
        self._reader = TarReader(file)
        self.damages: list[tuple[TarDamaged, int | None]] = []
        self._broken = False  # since the last member

    def samples(self) -> Iterator[TarSample]:
        """In the order of their first members; of a tar on this machine members need not be adjacent."""
        if self._is_scattered():
            yield from self._gathered()
        else:
            yield from self._adjacent()

    def _is_scattered(self) -> bool:
        """Whether members of one sample have others between them, where that is quickly found out."""
        reader = self._reader
        if reader.packed or is_remote(self._shard) or self._file.seek(0, os.SEEK_END) > MAX_COUNTED_BYTES:
            return False
        self._file.seek(0)
        seen: set[int] = set()
        last, found = "", False
        try:
            for _, stem, _, _ in self._entries(TarReader(self._file).members(), counted=False):
                if stem != last:
                    mark = hash(stem)
                    if found := mark in seen:
                        break
                    seen.add(mark)
                last = stem
        except TarDamaged:
            pass
        self._file.seek(0)
        self._reader = TarReader(self._file)
        return found

    def _sound_members(self) -> Iterator[Member]:
        """The members before, between and after damaged places."""
        resumed: int | None = 0
        while resumed is not None:
            try:
                yield from self._reader.members()
                resumed = None
            except TarDamaged as error:
                resumed = self._reader.resync(error)
                self.damages.append((error, resumed))
                self._broken = True

    def _entries(
        self, members: Iterator[Member], *, counted: bool = True
    ) -> Iterator[tuple[Member, str, str, str]]:
        """Each member with its sample, its ending in that, and its path; hidden pictures are ``counted``."""
        for member in members:
            path = _tidy(member.name)
            elsewhere = leaves_folder(path)
            stem, ending = (path, "") if elsewhere else _split(path)
            name = path.rpartition("/")[2]
            if member.is_folder:
                continue
            if elsewhere or not name.startswith("."):
                yield member, stem, ending, path
            elif counted and extension(name) in EXTENSIONS and not name.startswith("._"):
                self._choice.notes.note("hidden", f"{self._name}/{path}")

    def _gathered(self) -> Iterator[TarSample]:
        """Of the whole tar first the headers, then sample by sample the data."""
        found: list[tuple[str, dict[str, tuple[str, Member]]]] = []
        latest: dict[str, dict[str, tuple[str, Member]]] = {}
        for member, stem, ending, path in self._entries(self._sound_members()):
            parts = latest.get(stem)
            if parts is None or ending in parts:
                parts = latest[stem] = {}
                found.append((stem, parts))
            parts[ending] = path, member
        latest.clear()
        for stem, parts in found:
            group = TarSample(stem, self._shard, self._reader, self._choice)
            group.cut = bool(self.damages)
            try:
                for ending, (path, member) in parts.items():
                    group.add(ending, path, member)
            except TarDamaged:
                group.cut = True
            yield group

    def _adjacent(self) -> Iterator[TarSample]:
        group: TarSample | None = None
        seen: set[int] = set()
        try:
            for member, stem, ending, path in self._entries(self._sound_members()):
                broken, self._broken = self._broken, False
                if group is not None:
                    group.cut |= broken
                if group is not None and (group.stem != stem or ending in group.endings):
                    self._note_scattered(group, seen)
                    yield group
                    group = None
                group = group or TarSample(stem, self._shard, self._reader, self._choice)
                group.cut |= broken
                group.add(ending, path, member)
        except TarDamaged as error:
            self.damages.append((error, None))
            self._broken = True
        if group is not None:
            group.cut |= self._broken
            self._note_scattered(group, seen)
            yield group

    def _note_scattered(self, group: TarSample, seen: set[int]) -> None:
        """Note a sample without picture whose picture, or other members, lie elsewhere in the tar."""
        mark = hash(group.stem)
        if mark in seen and not group.has_picture:
            self._choice.notes.note("scattered-member", f"{self._name}/{group.stem}")
        seen.add(mark)


def _tidy(name: str) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _split(path: str) -> tuple[str, str]:
    """Sample and file of the sample: ``a/photo.mask.png`` is ``a/photo`` and ``mask.png``."""
    folder, slash, name = path.rpartition("/")
    stem, _, ending = name.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()
