"""Zip files of pictures, with the texts beside them."""

from __future__ import annotations

import zipfile
from collections import Counter
from typing import TYPE_CHECKING, ClassVar

from cutline.errors import ConfigError, SampleError
from cutline.files import name_to_text
from cutline.formatting import one_line
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_PICTURES
from cutline.interfaces import Source
from cutline.locations.zips import UNPACKED, ZipMember
from cutline.records import JSON, LeftOver, Location, Problem, Sample
from cutline.serialization import decode_object
from cutline.sidecars import EncodingReport, SidecarIndex, TextDecoder, sidecar_ending
from cutline.sidecars.encoding import MAX_BYTES
from cutline.sources.cells import metadata
from cutline.sources.exclusion import Exclusion
from cutline.sources.input_files import expand, open_binary
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import (
    OTHER_EXTENSIONS,
    UniqueKeys,
    extension,
    is_archive,
    is_unfinished,
    no_pictures,
)
from cutline.sources.options import OF_TEXTS, SourceOptions
from cutline.sources.parts import copy_with, ranges
from cutline.sources.tar_samples import leaves_folder
from cutline.sources.unknown_files import is_picture, sniff_bytes
from cutline.sources.zip_metadata import ZipMetadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_MEMBERS = 5_000_000
_HEAD = 1024
_ENCRYPTED = 1


class ZipSource(Source):
    """The pictures of a zip file, or of the zips of a folder, pattern or list in braces.

    Keys are the paths within the zip; of several zips, its name comes before. Nothing is unpacked to disk.
    Encrypted members and paths out of the folder are failures.
    """

    takes: ClassVar[frozenset[str]] = frozenset(
        {"text_column", "delimiter", "header_row", "recursive", "exclude", *OF_TEXTS}
    )

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when no zip is there."""
        self._options = options or SourceOptions()
        recursive, outputs = self._options.recursive, self._options.outputs
        self._root, self._zips = expand(path, (".zip",), recursive=recursive, outputs=outputs)
        self._path = path
        self._ending = sidecar_ending(self._options.sidecar_ext)
        self._notes = LeftOvers()
        self._encodings = EncodingReport(TextDecoder(self._options.text_encoding))
        stems = Counter(map(self._stem, self._zips))
        self._names = {
            file: self._stem(file) if stems[self._stem(file)] == 1 else file for file in self._zips
        }
        if not self._root:
            open_binary(self._zips[0]).close()

    @classmethod
    def from_options(cls, path: str, options: SourceOptions) -> ZipSource:
        return cls(path, options)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when a single zip cannot be read or holds no picture; else that is a failure."""
        self._encodings.clear()
        self._notes.clear()
        for file in self._zips:
            try:
                yield from self._zip(file)
            except ConfigError as error:
                if not self._root:
                    raise
                problem = Problem(kind="damaged-shard", message=str(error))
                yield Sample(key=name_to_text(self._names[file]), location=None, problem=problem)

    def shards(self, count: int) -> list[ZipSource]:
        """By files, never within one."""
        self._encodings.clear()
        self._notes.clear()
        decoder = self._encodings.decoder
        return [
            copy_with(self, _zips=self._zips[a:b], _notes=LeftOvers(), _encodings=EncodingReport(decoder))
            for a, b in ranges(len(self._zips), count)
        ]

    def count(self) -> int | None:
        return None

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self._notes.records()

    def _stem(self, file: str) -> str:
        return file[len(self._root) :].rpartition(".")[0]

    def _zip(self, file: str) -> Iterator[Sample]:
        prefix = f"{name_to_text(self._names[file])}/" if self._root else ""
        with open_binary(file) as opened:
            try:
                archive = zipfile.ZipFile(opened)
            except (zipfile.BadZipFile, OSError, ValueError, EOFError) as error:
                message = f"{name_to_text(file)} is not a zip file, or is damaged: {one_line(error)}"
                raise ConfigError(message) from error
            with archive:
                members = _Members(file, archive, self._options, self._notes)
                found = False
                for sample in members.samples(prefix, self._ending, self._encodings):
                    found = True
                    yield sample
        if not found:
            left_over = "".join(f"; {each}" for each in self.left_over)
            raise ConfigError(no_pictures(name_to_text(file)) + left_over)


class _Members:
    """The members of one open zip."""

    def __init__(self, file: str, archive: zipfile.ZipFile, options: SourceOptions, notes: LeftOvers) -> None:
        self._file = file
        self._archive = archive
        self._excluded = Exclusion(options.exclude).covers
        self._recursive = options.recursive
        self._notes, self._options = notes, options
        infos = archive.infolist()
        if len(infos) > MAX_MEMBERS:
            raise ConfigError(f"{name_to_text(file)} has more than {MAX_MEMBERS:,} members")
        self._infos: dict[str, list[zipfile.ZipInfo]] = {}
        for info in infos:
            if not info.is_dir():
                name = name_to_text(info.filename).replace("\\", "/").removeprefix("./")
                self._infos.setdefault(name, []).append(info)

    def samples(self, prefix: str, ending: str, encodings: EncodingReport) -> Iterator[Sample]:
        """By path. ``prefix`` comes before keys, ``ending`` is that of texts."""
        texts, values = (SidecarIndex(self._infos, each) for each in (ending, ".json"))
        keys = UniqueKeys()
        rows = ZipMetadata(self._file, self._infos, self._data, self._options, self._notes)
        for name in sorted(self._infos):
            for info in self._infos[name]:
                found = self._find(name, info)
                if found is None:
                    continue
                text, problem = None, ""
                for each in texts.of(name):
                    text, problem = encodings.read(f"{self._file}/{each}", self._data(each))
                    if (text, problem) != (None, ""):
                        break
                written, columns = rows.of(name)
                yield Sample(
                    key=keys.unique(prefix + name),
                    location=None if isinstance(found, Problem) else found,
                    text=written if text is None else text,
                    metadata={**columns, **self._fields(values.of(name))},
                    problem=found if isinstance(found, Problem) else None,
                    text_problem=problem,
                )

        for name, lost in rows.rest():
            yield Sample(key=keys.unique(prefix + name), location=None, problem=lost)

    def _find(self, name: str, info: zipfile.ZipInfo) -> Location | Problem | None:
        """The picture, or why it is not available; None if it is not one, and may be left over."""
        ending = extension(name)
        if (kind := self._left_over(name, ending)) is not None:
            if kind:
                self._notes.note(kind, f"{self._file}/{name}")
            return None
        if leaves_folder(name):
            return Problem(kind="blocked-path", message=f"{name} leads out of the folder; it is not read")
        if ending not in EXTENSIONS and not is_picture(sniff_bytes(self._data(name, _HEAD))):
            if ending in OTHER_PICTURES:
                self._notes.note("unsupported-format", f"{self._file}/{name}")
            return None
        return self._locate(name, info)

    def _locate(self, name: str, info: zipfile.ZipInfo) -> Location | Problem:
        if info.flag_bits & _ENCRYPTED:
            message = f"{name} is encrypted; unpack the zip with its password, and give the folder"
            return Problem(kind="unsupported", message=message)
        if info.compress_type not in UNPACKED:
            message = f"{name} is packed in a way that cannot be read; unpack the zip, and give the folder"
            return Problem(kind="unsupported", message=message)
        return ZipMember(
            zip=self._file,
            member=name,
            offset=info.header_offset,
            packed_size=info.compress_size,
            size=info.file_size,
            method=info.compress_type,
            crc=info.CRC,
        )

    def _left_over(self, name: str, ending: str) -> str | None:
        """The kind of left-over that a member's name tells, empty for other files; None for a picture."""
        hidden = any(part.startswith(".") and part not in {".", ".."} for part in name.split("/"))
        if hidden:
            return "hidden" if ending in EXTENSIONS and "/._" not in f"/{name}" else ""
        if self._excluded(name):
            return "excluded" if ending in EXTENSIONS else ""
        if not self._recursive and "/" in name:
            return ""
        if is_archive(name):
            return "archive"
        if is_unfinished(name):
            return "unfinished-download"
        return "" if ending in OTHER_EXTENSIONS else None

    def _data(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """The beginning of a member; empty where it cannot be read."""
        try:
            with self._archive.open(self._infos[name][-1]) as file:
                return file.read(limit)
        except Exception:  # noqa: BLE001 - of a damaged or encrypted member zipfile raises many kinds
            return b""

    def _fields(self, names: Sequence[str]) -> JSON:
        """The fields of the JSON beside a picture; other JSON is left over."""
        for name in names:
            try:
                fields = decode_object(self._data(name) or b"{}")
            except SampleError:
                fields = None
            if fields is not None:
                return metadata(fields)
            self._notes.note("unread-json", f"{self._file}/{name}")
        return {}
