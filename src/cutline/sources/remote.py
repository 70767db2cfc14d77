"""Pictures in a folder of remote storage, such as ``s3://bucket/photos``."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cutline.errors import ConfigError, SourceError
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_PICTURES
from cutline.interfaces import Source
from cutline.locations.stored import RemoteObject
from cutline.records import LeftOver, Sample
from cutline.sidecars import EncodingReport, SidecarIndex, TextDecoder, sidecar_ending
from cutline.sidecars.encoding import MAX_BYTES
from cutline.sources.exclusion import Exclusion
from cutline.sources.input_files import on_storage
from cutline.sources.left_over import LeftOvers
from cutline.sources.names import OTHER_EXTENSIONS, extension, is_archive, no_pictures
from cutline.sources.parts import copy_with, ranges
from cutline.sources.patterns import Pattern, is_pattern
from cutline.storage import explained, object_version, open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator


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
    ) -> None:
        """``listing`` is the part that is read. Raises ConfigError when nothing can open such a path."""
        self._shown = path
        self._pattern = Pattern(path) if is_pattern(path) else None
        self._path = self._pattern.root if self._pattern else path
        self._recursive = recursive
        self._listing = listing
        self._exclusion = Exclusion(exclude)
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
        return [copy_with(self, _listing=part) for part in parts]

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
        names = sorted(found)
        pictures = [name for name in names if self._wanted(name[len(root) + 1 :], notes)]
        self._notes = notes
        versions = [object_version(found[name]) for name in pictures]
        return _Listing(
            root=f"{root}/", pictures=pictures, versions=versions, texts=SidecarIndex(names, self._ending)
        )

    def _wanted(self, key: str, notes: LeftOvers) -> bool:
        """Whether the object is a sample; notes pictures that are left over."""
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
        elif ending in OTHER_PICTURES:
            notes.note("unsupported-format", key)
        elif is_archive(name):
            notes.note("archive", key)
        elif ending not in OTHER_EXTENSIONS and key:
            notes.note("unknown-ending", key)
        return False

    def _text(self, system: object, name: str) -> tuple[str | None, str]:
        try:
            with system.open(name, "rb") as file:  # type: ignore[attr-defined]
                data: bytes = file.read(MAX_BYTES)
        except Exception as error:  # drivers share no base class
            raise SourceError(f"{name}: {explained(error)}") from error
        return self._encodings.read(name, data)
