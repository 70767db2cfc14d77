"""Pictures in a folder of remote storage, such as ``s3://bucket/photos``."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cutline.errors import ConfigError, SourceError
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_FORMATS, OTHER_PICTURES
from cutline.interfaces import Source
from cutline.locations.stored import RemoteObject
from cutline.records import JSON, LeftOver, Sample
from cutline.sidecars import EncodingReport, SidecarIndex, TextDecoder, sidecar_ending
from cutline.sidecars.encoding import MAX_BYTES
from cutline.sources.exclusion import Exclusion
from cutline.sources.input_files import on_storage
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import OTHER_EXTENSIONS, extension, is_archive, is_unfinished, no_pictures
from cutline.sources.outputs import OutputFilter, RunPaths
from cutline.sources.parts import copy_with, ranges
from cutline.sources.patterns import Pattern, is_pattern
from cutline.sources.unknown_files import is_picture, sniff_bytes
from cutline.storage import explained, object_version, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_SNIFFED: Final = 1000  # objects of a listing with unknown endings whose first bytes are read
SNIFFED_BYTES: Final = 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Listing:
    """The names and versions of pictures, and texts, below ``root``, which ends with a slash."""

    root: str
    pictures: Sequence[str]
    versions: Sequence[str]
    texts: SidecarIndex

    def part(self, start: int, stop: int) -> _Listing:
        pictures = self.pictures[start:stop]
        texts = SidecarIndex((text for name in pictures for text in self.texts.of(name)), self.texts.ending)
        return _Listing(root=self.root, pictures=pictures, versions=self.versions[start:stop], texts=texts)


class RemoteFolderSource(Source):
    """Every picture below a folder that fsspec reaches, or one object; keys as FolderSource makes them."""

    def __init__(
        self,
        path: str,
        *,
        recursive: bool = True,
        exclude: Sequence[str] = (),
        listing: _Listing | None = None,
        text_encoding: str | None = None,
        sidecar_ext: str = ".txt",
        outputs: RunPaths | None = None,
    ) -> None:
        """``listing`` is the part that is read, ``outputs`` are the run's own.

        Raises ConfigError when nothing can open such a path.
        """
        self._shown = path
        self._pattern = Pattern(path) if is_pattern(path) else None
        self._path = self._pattern.root if self._pattern else path
        self._recursive = recursive
        self._listing = listing
        self._exclusion = Exclusion(exclude)
        self._outputs = OutputFilter(self._path, outputs, others=self._pattern is None)
        self._sniffed: dict[tuple[str, str], str] = {}
        self._notes = LeftOvers()
        self._ending = sidecar_ending(sidecar_ext)
        self._encodings = EncodingReport(TextDecoder(text_encoding))
        open_storage(self._path)

    def samples(self) -> Iterator[Sample]:
        """Raises ConfigError when the folder cannot be listed or holds no picture."""
        self._encodings.clear()
        system, _ = open_storage(self._path)
        listing = self._listed()
        top = listing.root.rstrip("/").rpartition("/")[2]
        if not listing.pictures:
            raise ConfigError(no_pictures(self._shown))
        for name, version in zip(listing.pictures, listing.versions, strict=True):
            key = name[len(listing.root) :]
            folder, _, file_name = key.rpartition("/")
            texts = (self._text(system, sidecar) for sidecar in listing.texts.of(name))
            text, problem = next((found for found in texts if found != (None, "")), (None, ""))
            yield Sample(
                key=key,
                location=RemoteObject(system.unstrip_protocol(name), version),
                text=text,
                metadata={"folder": folder or top, "file_name": file_name},
                text_problem=problem,
            )

    def shards(self, count: int) -> list[RemoteFolderSource]:
        """Each knows the names of its own pictures, as storage lists a folder only whole."""
        listing = self._listed()
        parts = (listing.part(*place) for place in ranges(len(listing.pictures), count))
        self._encodings.clear()
        decoder = self._encodings.decoder
        return [
            copy_with(self, _listing=part, _notes=LeftOvers(), _encodings=EncodingReport(decoder))
            for part in parts
        ]

    def count(self) -> int:
        return len(self._listed().pictures)

    @property
    def warnings(self) -> Sequence[str]:
        return self._encodings.lines()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        return self._notes.records()

    def _listed(self) -> _Listing:
        if self._listing is not None:
            return self._listing
        notes = LeftOvers()  # of its own, as another thread may count meanwhile
        system, root = open_storage(self._path)
        root = root.rstrip("/")
        if on_storage(self._path, lambda: system.isfile(root)):
            found = {root: on_storage(self._path, lambda: system.info(root))}
            root = root.rpartition("/")[0]
        else:
            depth = None if self._recursive or self._pattern else 1
            found = on_storage(self._path, lambda: system.find(root, maxdepth=depth, detail=True))
        names = self._inputs(system, sorted(found))
        pictures = [name for name in names if self._wanted(system, root, name, found[name], notes)]
        self._notes = notes
        versions = [object_version(found[name]) for name in pictures]
        return _Listing(
            root=f"{root}/", pictures=pictures, versions=versions, texts=SidecarIndex(names, self._ending)
        )

    def _inputs(self, system: Any, names: list[str]) -> list[str]:
        """The objects without the outputs of runs among them, and what belongs to these."""
        urls = {system.unstrip_protocol(name): name for name in names}
        return [urls[url] for url in self._outputs.inputs(urls)]

    def _wanted(self, system: Any, root: str, name: str, info: JSON, notes: LeftOvers) -> bool:
        """Whether the object is a sample; notes pictures that are left over."""
        path, key = name, name[len(root) + 1 :]
        if self._pattern is not None and not self._pattern.covers(key):
            return False
        name = key.rpartition("/")[2]
        ending = extension(name)
        if "/." in key or key.startswith("."):
            if ending in EXTENSIONS and not name.startswith("._"):
                notes.note("hidden", key)
        elif ending in EXTENSIONS:
            if not self._exclusion.covers(key):
                return True
            notes.note("excluded", key)
        elif is_archive(name):
            notes.note("archive", key)
        elif is_unfinished(name):
            notes.note("unfinished-download", key)
        elif ending not in OTHER_EXTENSIONS and key:
            return self._is_picture_by_content(key, self._sniff(system, path, info), notes)
        return False

    def _is_picture_by_content(self, key: str, kind: str | None, notes: LeftOvers) -> bool:
        if kind is not None and is_picture(kind):
            if not self._exclusion.covers(key):
                return True
            notes.note("excluded", key)
        elif kind in OTHER_FORMATS or extension(key) in OTHER_PICTURES:
            notes.note("unsupported-format", key)
        elif kind is None:
            notes.note("unknown-ending", key)
        return False

    def _sniff(self, system: Any, path: str, info: JSON) -> str | None:
        """The format of an object with an unknown ending, by its first bytes, as ``sniff_bytes``.

        None where it cannot be read, or where so many have been read that the rest would take long.
        """
        mark = (path, object_version(info))
        if mark not in self._sniffed and len(self._sniffed) < MAX_SNIFFED:
            with contextlib.suppress(Exception):  # drivers share no base class
                self._sniffed[mark] = sniff_bytes(system.cat_file(path, start=0, end=SNIFFED_BYTES))
        return self._sniffed.get(mark)

    def _text(self, system: object, name: str) -> tuple[str | None, str]:
        try:
            with system.open(name, "rb") as file:  # type: ignore[attr-defined]
                data: bytes = file.read(MAX_BYTES)
        except Exception as error:  # drivers share no base class
            raise SourceError(f"{name}: {explained(error)}") from error
        return self._encodings.read(name, data)
