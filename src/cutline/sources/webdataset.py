"""Webdataset shards: tars in which the files of one sample follow each other under one name."""

from __future__ import annotations

import json
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import orjson

from cutline.errors import ConfigError, PictureError
from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.interfaces import Source
from cutline.locations.stored import MAX_FILE_BYTES, InlineBytes, TarMember
from cutline.records import Location, Problem, Sample
from cutline.sidecars import EncodingReport, TextDecoder
from cutline.sidecars.encoding import MAX_BYTES
from cutline.sources.cells import first_text
from cutline.sources.input_files import expand, open_binary
from cutline.sources.names import TAR_ENDINGS, UniqueKeys, without_tar_ending
from cutline.sources.parts import copy_with, ranges
from cutline.sources.tars import Member, TarDamaged, TarReader
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cutline.sources.options import SourceOptions
    from cutline.sources.outputs import OutputPaths

MAX_MEMBER_BYTES = 64 * 1024 * 1024
MAX_COUNTED_BYTES = 2 * 1024**3
_TEXT = ("txt", "caption", "text", "txt.gz", "caption.gz")


class WebdatasetSource(Source):
    """Samples of one tar, or of the tars of a folder, a glob pattern or a list in braces.

    The path up to the first dot of a member's name is the key; of several tars the shard's name comes before
    it, ``00000/0001``. A key that comes again becomes ``0001#2``. Damage is a failure with shard and byte.
    Links, devices and paths out of the folder are never followed; other members are carried as bytes.
    """

    def __init__(
        self,
        path: str,
        *,
        recursive: bool = True,
        outputs: OutputPaths | None = None,
        text_encoding: str | None = None,
    ) -> None:
        """Raises ConfigError when no tar is there; ``outputs`` as in ``SourceOptions``."""
        if path.startswith("pipe:"):
            raise ConfigError("'pipe:' inputs would run a command; give the path of the tar instead")
        self._root, self._shards = expand(path, TAR_ENDINGS, recursive=recursive, outputs=outputs)
        self._decoder = TextDecoder(text_encoding)
        self._encodings = EncodingReport(self._decoder)
        self._short_names = Counter(without_tar_ending(shard[len(self._root) :]) for shard in self._shards)
        if not self._root:
            open_binary(self._shards[0]).close()

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> WebdatasetSource:
        return cls(
            path,
            recursive=options.recursive,
            outputs=options.outputs,
            text_encoding=options.text_encoding,
        )

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when a single tar cannot be opened; of several, that is one failure."""
        self._encodings.clear()
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
                yield from self._shard(shard, name, TarReader(file))

    def shards(self, count: int) -> list[Self]:
        """By files, never within one."""
        return [copy_with(self, _shards=self._shards[a:b]) for a, b in ranges(len(self._shards), count)]

    def count(self) -> int | None:
        """Reads the headers of small inputs; None where that would take long."""
        if any(is_remote(shard) or not shard.lower().endswith(".tar") for shard in self._shards):
            return None
        sizes = (Path(shard).stat().st_size for shard in self._shards if Path(shard).is_file())
        counted = copy_with(self, _encodings=EncodingReport(self._decoder))
        return sum(1 for _ in counted.samples()) if sum(sizes) <= MAX_COUNTED_BYTES else None

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    def _name(self, shard: str) -> str:
        """What the shard is called in keys: its path without ``.tar``, unless another shard has that too."""
        if not self._root:
            return name_to_text(Path(shard).name)
        name = shard[len(self._root) :]
        short = without_tar_ending(name)
        return name_to_text(short if self._short_names[short] == 1 else name)

    def _shard(self, shard: str, name: str, reader: TarReader) -> Iterator[Sample]:
        keys = UniqueKeys()
        prefix = f"{name}/" if self._root else ""
        group: _Group | None = None
        damage: TarDamaged | None = None
        try:
            for member in reader.members():
                path = _tidy(member.name)
                elsewhere = leaves_folder(path)
                stem, ending = (path, "") if elsewhere else _split(path)
                hidden = path.rpartition("/")[2].startswith(".") and not elsewhere
                if member.is_folder or hidden:
                    continue
                if group is not None and (group.stem != stem or ending in group.endings):
                    yield group.sample(prefix, keys)
                    group = None
                group = group or _Group(stem, shard, reader, self._encodings)
                group.add(ending, path, member)
        except TarDamaged as error:
            damage = error
        if group is not None:
            yield group.sample(prefix, keys, cut=damage is not None)
        if damage is not None:
            message = f"{name_to_text(shard)}: byte {damage.offset:,}: {damage}; the rest of the tar is lost"
            problem = Problem(kind="damaged-shard", message=message)
            yield Sample(key=keys.unique(f"{name}@{damage.offset}"), location=None, problem=problem)


class _Group:
    """The members of one sample, as they come."""

    def __init__(self, stem: str, shard: str, reader: TarReader, encodings: EncodingReport) -> None:
        self.stem = stem
        self._shard = shard
        self._reader = reader
        self._encodings = encodings
        self._by_offset = not reader.packed and not is_remote(shard)
        self.endings: set[str] = set()
        self._pictures: dict[str, Location] = {}
        self._members: dict[str, bytes] = {}
        self._bytes = 0
        self._refused: list[str] = []
        self._problem: Problem | None = None

    def add(self, ending: str, path: str, member: Member) -> None:
        """Takes the member that came last; raises TarDamaged when its data is not all there."""
        self.endings.add(ending)
        self._bytes += 512
        if not member.is_file:
            self._refused.append(f"{path} is a link, a device or a sparse file")
        elif leaves_folder(path):
            self._refused.append(f"{path} leads out of the folder")
        elif _is_picture(ending):
            if self._by_offset:
                self._pictures[ending] = TarMember(
                    self._shard, path, member.offset, member.size, self._reader.version, self._reader.etag
                )
            elif member.size <= MAX_FILE_BYTES:
                place = f"{name_to_text(self._shard)}/{path}"
                self._pictures[ending] = InlineBytes(self._reader.data(member), place)
            else:
                self._too_large(path, MAX_FILE_BYTES)
        elif self._bytes + member.size > MAX_MEMBER_BYTES:
            self._too_large(f"what comes with {self.stem}", MAX_MEMBER_BYTES)
        else:
            self._bytes += member.size
            self._members[ending] = self._reader.data(member)

    def _too_large(self, what: str, limit: int) -> None:
        self._problem = Problem(kind="too-large", message=f"{what}: more than {limit:,} bytes")

    def sample(self, prefix: str, keys: UniqueKeys, *, cut: bool = False) -> Sample:
        """``cut``: the tar ended within this sample, so what is missing was lost."""
        picture = self._choose()
        problem = self._problem or (self._no_picture(cut=cut) if picture is None else None)
        metadata = _metadata(self._members.get("json"))
        if self._refused and picture is not None:
            metadata["blocked_members"] = list(self._refused)
        text, text_problem = self._text()
        return Sample(
            key=keys.unique(prefix + self.stem),
            location=None if problem else picture,
            text=text or first_text(metadata.get("caption")) or first_text(metadata.get("text")),
            metadata=metadata,
            members=self._members,
            problem=problem,
            text_problem=text_problem,
        )

    def _text(self) -> tuple[str | None, str]:
        for ending in _TEXT:
            data = _unpacked(ending, self._members.get(ending, b""))
            found = self._encodings.read(f"{self._shard}/{self.stem}.{ending}", data)
            if found != (None, ""):
                return found
        return None, ""

    def _no_picture(self, *, cut: bool) -> Problem:
        if cut:
            return Problem(kind="damaged-shard", message="the tar is damaged where this sample's picture was")
        if self._refused:
            return Problem(kind="blocked-path", message=f"{self._refused[0]}; such members are not read")
        return Problem(kind="no-image", message="the sample holds no picture", skip=True)

    def _choose(self) -> Location | None:
        """The first picture, ``jpg`` before ``mask.png``; the others join the members that are carried."""
        plain = [ending for ending in self._pictures if "." not in ending]
        chosen = next(iter(plain or self._pictures), None)
        for ending, location in self._pictures.items():
            if ending == chosen:
                continue
            try:
                data = location.read()
            except PictureError as error:
                self._problem = Problem(kind=error.kind, message=str(error))
                continue
            self._bytes += len(data)
            if self._bytes > MAX_MEMBER_BYTES:
                self._too_large(f"what comes with {self.stem}", MAX_MEMBER_BYTES)
                continue
            self._members[ending] = data
        return self._pictures[chosen] if chosen is not None else None


def _tidy(name: str) -> str:
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _split(path: str) -> tuple[str, str]:
    """Sample and file of the sample: ``a/photo.mask.png`` is ``a/photo`` and ``mask.png``."""
    folder, slash, name = path.rpartition("/")
    stem, _, ending = name.partition(".")
    return f"{folder}{slash}{stem}", ending.lower()


def leaves_folder(path: str) -> bool:
    """Whether a path, on any system, is absolute or climbs out of its folder."""
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or ":" in parts[0][:2] or "\0" in path


def _is_picture(ending: str) -> bool:
    return ending.rpartition(".")[2] in EXTENSIONS


def _metadata(data: bytes | None) -> dict[str, Any]:
    """The JSON member's fields; ``json_error`` for one that cannot be read."""
    if data is None:
        return {}
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError:
        try:  # NaN and Infinity, which other writers leave in
            value = json.loads(data, parse_constant=lambda _: None)
        except (ValueError, RecursionError) as error:
            return {"json_error": str(error)[:200]}
    return value if isinstance(value, dict) else {"json": value}


def _unpacked(ending: str, data: bytes) -> bytes:
    """A text member's bytes; empty for a damaged one, which is carried as it is."""
    if ending.endswith(".gz") and data:
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, MAX_BYTES)
        except zlib.error:
            return b""
    return data[:MAX_BYTES]
