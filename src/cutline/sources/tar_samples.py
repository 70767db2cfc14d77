"""The members of one webdataset sample in a tar: its picture or pictures, its text, and what is carried."""

from __future__ import annotations

import dataclasses
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

import orjson

from cutline.errors import PictureError
from cutline.files import name_to_text
from cutline.imaging import EXTENSIONS
from cutline.imaging.formats import OTHER_FORMATS, OTHER_PICTURES
from cutline.locations.stored import MAX_FILE_BYTES, PACKINGS, InlineBytes, PackedPicture, TarMember
from cutline.records import Location, Problem, Sample
from cutline.sidecars import EncodingReport
from cutline.sidecars.encoding import MAX_BYTES
from cutline.sources.cells import first_text
from cutline.sources.names import picture_ending, unpacked_ending
from cutline.sources.unknown_files import is_picture, sniff_bytes
from cutline.storage import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutline.sources.left_over import LeftOvers
    from cutline.sources.names import UniqueKeys
    from cutline.sources.tars import Member, TarReader

MAX_MEMBER_BYTES = 64 * 1024 * 1024
_NUMBERED = re.compile(r"\d[^/]*\.")  # such as the rest of a date or a version, not a name like ``mask``
_PACKED = frozenset({"zst", "br", "lz4", "lzma", "z", "zip", "7z", "lzo", "sz"})
_TEXT = ("txt", "caption", "text", "txt.gz", "caption.gz")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which pictures of a sample are captioned, and where it is noted what is left over or in no encoding."""

    column: str | None
    each: bool
    notes: LeftOvers
    encodings: EncodingReport


class TarSample:
    """The members of one sample, as they come.

    Where a sample has a picture with a plain ending, ``jpg`` before ``mask.png``, that is the picture, and
    the others are carried along; where all have numbers after the first dot, ``22.05.png`` and ``22.06.png``,
    each is a sample of its own. ``each`` makes every picture one, ``column`` only that with this ending.
    """

    def __init__(self, stem: str, shard: str, reader: TarReader, choice: Choice) -> None:
        self.stem = stem
        self.cut = False  # whether the tar is damaged there, so that what is missing was lost
        self._shard = shard
        self._reader = reader
        self._choice = choice
        self._by_offset = not reader.packed and not is_remote(shard)
        self.endings: set[str] = set()
        self._pictures: dict[str, Location] = {}
        self._members: dict[str, bytes] = {}
        self._bytes = 0
        self._refused: list[str] = []
        self._problem: Problem | None = None
        self._has_noted_json = False

    @property
    def has_picture(self) -> bool:
        return bool(self._pictures)

    def add(self, ending: str, path: str, member: Member) -> None:
        """Takes a member, in a packed tar the one that came last; TarDamaged: its data is not all there."""
        self.endings.add(ending)
        self._bytes += 512
        if not member.is_file:
            self._refused.append(f"{path} is a link, a device or a sparse file")
        elif leaves_folder(path):
            self._refused.append(f"{path} leads out of the folder")
        elif picture_ending(ending):
            self._add_picture(ending, path, member)
        elif self._bytes + member.size > MAX_MEMBER_BYTES:
            self._choice.notes.note("large-member", f"{self._shard}/{path}")
        else:
            self._bytes += member.size
            self._members[ending] = self._reader.data(member)

    def _add_picture(self, ending: str, path: str, member: Member) -> None:
        reader = self._reader
        if self._by_offset:
            location: Location = TarMember(
                self._shard, path, member.offset, member.size, reader.version, reader.etag
            )
        elif member.size <= MAX_FILE_BYTES:
            location = InlineBytes(reader.data(member), f"{name_to_text(self._shard)}/{path}")
        else:
            message = f"{path}: more than {MAX_FILE_BYTES:,} bytes"
            self._problem = Problem(kind="too-large", message=message)
            return
        packing = ending.rpartition(".")[2]
        self._pictures[ending] = PackedPicture(location, packing) if packing in PACKINGS else location

    def samples(self, prefix: str, keys: UniqueKeys) -> Iterator[Sample]:
        """Its pictures, mostly one; ``prefix`` comes before their keys."""
        if not self._pictures and not self._problem:
            self._find_picture()
        several = self._several()
        if len(several) > 1:
            for ending in several:
                plain = "." not in ending
                name = f"{self.stem}.{ending if plain else ending.rpartition('.')[0]}"
                own = "" if plain else f"{ending.rpartition('.')[0]}."
                members = self._members_of(own, several)
                yield self._sample(keys.unique(prefix + name), self._pictures[ending], members, None)
            return
        picture = self._main()
        problem = self._problem or (self._no_picture() if picture is None else None)
        yield self._sample(keys.unique(prefix + self.stem), picture, self._members, problem)

    def _sample(
        self, key: str, picture: Location | None, members: dict[str, bytes], problem: Problem | None
    ) -> Sample:
        metadata = _metadata(members.get("json"))
        if "json_error" in metadata and not self._has_noted_json:
            self._has_noted_json = True  # several pictures may share it
            self._choice.notes.note("unread-json", f"{self._shard}/{self.stem}.json")
        if self._refused and picture is not None:
            metadata["blocked_members"] = list(self._refused)
        texts = (first_text(metadata.get(name)) for name in ("caption", "text"))
        text, text_problem = self._text(members)
        return Sample(
            key=key,
            location=None if problem else picture,
            text=text or next(filter(None, texts), None),
            metadata=metadata,
            members=members,
            problem=problem,
            text_problem=text_problem,
        )

    def _members_of(self, own: str, several: list[str]) -> dict[str, bytes]:
        """What all pictures share and what is one's own: ``05.txt`` of ``22`` is the ``txt`` of ``22.05``."""
        starts = {f"{ending.rpartition('.')[0]}." for ending in several if "." in ending} - {own}
        return {
            ending.removeprefix(own): data
            for ending, data in self._members.items()
            if not any(map(ending.startswith, starts))
        }

    def _several(self) -> list[str]:
        """The endings of the pictures, where each of them is a sample of its own."""
        if self._choice.column is not None:
            return []
        numbered = all(map(_NUMBERED.match, map(unpacked_ending, self._pictures)))
        return list(self._pictures) if numbered or self._choice.each else []

    def _main(self) -> Location | None:
        """The sample's one picture; the others join the members that are carried."""
        column = self._choice.column
        plain = [ending for ending in self._pictures if "." not in unpacked_ending(ending)]
        chosen = next(iter(plain or self._pictures), None)
        if column is not None:
            wanted = column.lower().removeprefix(".")
            chosen = wanted if wanted in self._pictures else None
        for ending, location in self._pictures.items():
            if ending == chosen:
                continue
            if column is None:
                self._choice.notes.note("further-picture", f"{self.stem}.{ending}")
            self._carry(ending, location)
        return self._pictures[chosen] if chosen is not None else None

    def _carry(self, ending: str, location: Location) -> None:
        try:
            data = location.read() if self._bytes <= MAX_MEMBER_BYTES else b""
        except PictureError:
            data = b""
        self._bytes += len(data)
        if data and self._bytes <= MAX_MEMBER_BYTES:
            self._members[ending] = data
        else:
            self._choice.notes.note("large-member", f"{self._shard}/{self.stem}.{ending}")

    def _find_picture(self) -> None:
        """A picture whose ending is none of a picture, by its first bytes."""
        for ending, data in self._members.items():
            name = sniff_bytes(data)
            if is_picture(name):
                place = f"{name_to_text(self._shard)}/{self.stem}.{ending}".removesuffix(".")
                self._pictures[ending] = InlineBytes(data, place)
                del self._members[ending]
                return
            inner, _, last = ending.rpartition(".")
            if last in _PACKED and inner.rpartition(".")[2] in EXTENSIONS:
                message = f"{self.stem}.{ending}: pictures compressed as .{last} are not unpacked"
                self._problem = Problem(kind="unsupported", message=message)
            elif name in OTHER_FORMATS or last in OTHER_PICTURES:
                what = name or f".{ending}"
                message = f"{self.stem}.{ending}: {what} is not a picture format that can be captioned"
                self._problem = Problem(kind="unsupported", message=message)

    def _text(self, members: dict[str, bytes]) -> tuple[str | None, str]:
        """The text there is, and why it cannot be joined with a caption."""
        for ending in _TEXT:
            data = _unpacked(ending, members.get(ending, b""))
            found = self._choice.encodings.read(f"{self._shard}/{self.stem}.{ending}", data)
            if found != (None, ""):
                return found
        return None, ""

    def _no_picture(self) -> Problem:
        if self.cut:
            return Problem(kind="damaged-shard", message="the tar is damaged where this sample's picture was")
        if self._refused:
            return Problem(kind="blocked-path", message=f"{self._refused[0]}; such members are not read")
        return Problem(kind="no-image", message="the sample holds no picture", skip=True)


def leaves_folder(path: str) -> bool:
    """Whether a path, on any system, is absolute or climbs out of its folder."""
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or not parts[0] or ":" in parts[0][:2] or "\0" in path


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
