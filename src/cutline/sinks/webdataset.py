"""Webdataset shards: tars of pictures with their captions."""

from __future__ import annotations

import tarfile
from pathlib import Path

from cutline.errors import OutputGone
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Outcome, Sample
from cutline.serialization import decode_object, encode_json, valid_unicode
from cutline.sinks.append_only_file import AppendOnlyFile, output_changed
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import output_exists
from cutline.sinks.rows import row
from cutline.sinks.shards import SHARDS, ShardFolder
from cutline.sinks.tar_names import member_kinds, member_stem, picture_kind

_END = bytes(1024)
_NOTHING: JSON = {"size": 0, "records": 0, "tail": 0}


class WebdatasetSink(Sink):
    """Untouched picture bytes, ``.txt`` and ``.json`` for each caption, in shards that are never half.

    The shard in progress grows in the state folder; finished, it is moved into the output folder.
    The same outcomes give the same bytes.
    """

    needs_picture = True

    def __init__(self, output: str, state: Path, options: SinkOptions) -> None:
        self._folder = ShardFolder(output, state / "shards.jsonl", options.recorded)
        self._state = state
        self._options = options
        self._number = 0
        self._file: AppendOnlyFile | None = None
        self._resting: JSON | None = None
        """The mark within a shard that is in its place and may have to be taken back."""

    def open(self, mark: JSON | None) -> None:
        self.close()
        self._folder.create()
        if mark is None:
            foreign = self._folder.foreign()
            if foreign and not self._options.overwrite:
                raise output_exists(f"{self._folder.name}/{foreign}")
            self._folder.start()
            self._number = 0
            self._remove_parts(except_number=-1)
        else:
            self._number = mark["shard"]
            self._resume(mark["part"])

    def _resume(self, mark: JSON) -> None:
        number = self._number
        self._folder.check_whole(number)
        self._remove_parts(except_number=number)
        if mark["size"] == 0:
            self._folder.remove_from(number, earlier=False)
            self._remove_parts(except_number=-1)
            return
        self._folder.remove_from(number + 1, earlier=False)
        if not self._part(number).exists():
            there = self._folder.size(number)
            if there is None:
                raise OutputGone(f"{self._folder.name}/{SHARDS.of(number)} is gone")
            if there < mark["size"]:
                raise output_changed(f"{self._folder.name}/{SHARDS.of(number)}")
            if place := self._folder.local(number):
                AppendOnlyFile(place).verify(mark)
            if there == mark["size"] + len(_END):
                self._resting = mark
                return
            self._folder.take_back(number, self._part(number))
        self._reopen(mark)

    def _reopen(self, mark: JSON) -> None:
        self._file = AppendOnlyFile(self._part(self._number), replaceable=True)
        self._file.resume(mark)

    def write(self, sample: Sample, outcome: Outcome, picture: bytes | None) -> None:
        if not isinstance(outcome, Caption):
            return
        if picture is None:
            raise ValueError("a webdataset needs the picture's bytes")
        if self._resting:
            mark, self._resting = self._resting, None
            if mark["records"] < self._options.samples_per_shard:
                self._folder.take_back(self._number, self._part(self._number))
                self._reopen(mark)
            else:
                self._number += 1
        if self._file is None:
            self._file = AppendOnlyFile(self._part(self._number), replaceable=True)
            self._file.start()
        self._file.append(self._members(sample, outcome, picture))
        if self._file.records >= self._options.samples_per_shard:
            self._publish(self._file)

    def commit(self) -> JSON:
        part = self._file.commit() if self._file else self._resting or _NOTHING
        return {"shard": self._number, "part": part}

    def finish(self) -> None:
        if self._file:
            self._publish(self._file)
        self._folder.remove_from(self._number + (1 if self._resting else 0), earlier=True)

    def close(self) -> None:
        if self._file:
            self._file.close()
        self._file = self._resting = None

    @property
    def outputs(self) -> list[Path | str]:
        return [self._folder.name if self._folder.remote else Path(self._folder.name)]

    def _publish(self, file: AppendOnlyFile) -> None:
        file.append(_END)
        file.commit()
        file.close()
        self._folder.publish(file.path, self._number)
        self._file = None
        self._number += 1

    def _members(self, sample: Sample, outcome: Caption, picture: bytes) -> bytes:
        values = row(sample, outcome, self._options)
        members = dict(sample.members)
        described = members.get("json")
        if described is not None and (metadata := decode_object(described)) is not None:
            values["metadata"] = {**metadata, **values["metadata"]}
            del members["json"]
        own = {
            picture_kind(picture, sample.key): picture,
            "txt": valid_unicode(outcome.text).encode(),
            "json": encode_json(values),
        }
        if sample.text is not None and members.get("txt", b"").strip() == sample.text.strip().encode():
            members.pop("txt", None)  # it is the row's column "text"
        stem = member_stem(values["image_id"])
        return b"".join(
            _member(f"{stem}.{kind}", data) for kind, data in (own | member_kinds(own, members)).items()
        )

    def _part(self, number: int) -> Path:
        return self._state / f"{SHARDS.of(number)}.part"

    def _remove_parts(self, *, except_number: int) -> None:
        for part in self._state.glob("*.tar.part"):
            if part != self._part(except_number):
                part.unlink()


def _member(name: str, data: bytes) -> bytes:
    """One file of a tar: plain ustar, with a PAX header where the name needs it; no time, no owner."""
    info = tarfile.TarInfo(name)
    info.size = len(data)
    plain = len(name) <= 100 and name.isascii()  # then both come to the same, and this is faster
    header = info.tobuf(tarfile.USTAR_FORMAT if plain else tarfile.PAX_FORMAT, "utf-8")
    return b"".join((header, data, bytes(-len(data) % 512)))
