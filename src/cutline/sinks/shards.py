"""A folder of numbered files, local or remote, and the ledger of those that this job wrote."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson

from cutline.errors import ConfigError, OutputGone, PictureError
from cutline.files import write_errors
from cutline.regular_files import read_regular
from cutline.serialization import decode_object
from cutline.sinks.append_only_file import output_changed
from cutline.sinks.targets import LocalTarget, target
from cutline.storage import is_remote, local_path, open_local, open_storage, storage_errors, try_writing

MAX_LEDGER_BYTES = 1 << 30


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NumberedNames:
    """Names of files such as ``out-00012.parquet``; ``foreign`` endings are in the way too."""

    prefix: str = ""
    ending: str
    foreign: tuple[str, ...] = ()

    def of(self, number: int) -> str:
        return f"{self.prefix}{number:05d}{self.ending}"

    def number(self, name: str) -> int | None:
        """The number in a name; None for another name."""
        digits = name.removeprefix(self.prefix).removesuffix(self.ending)
        whole = len(digits) >= 5 and digits.isascii() and digits.isdigit()
        return int(digits) if whole and name == f"{self.prefix}{digits}{self.ending}" else None


SHARDS = NumberedNames(ending=".tar", foreign=(".tar", ".tgz", ".tar.gz"))


class ShardFolder:
    """The output folder. Shards, or files with other ``names``, appear in it whole, under their final names.

    ``ledger``: a file of the state folder with a line for each shard, written before the shard appears.
    Only shards in it, with the same size and time, are ever removed or taken back. ``recorded`` as in
    ``SinkOptions``. All methods raise SinkError when the system or the storage refuses.
    """

    def __init__(
        self,
        output: str,
        ledger: Path,
        recorded: Callable[[str], None] = lambda _: None,
        names: NumberedNames = SHARDS,
    ) -> None:
        self._recorded = recorded
        self._names = names
        self.remote = is_remote(output)
        self.name = output.rstrip("/") if self.remote else str(Path(local_path(output)))
        self._files, self._path = open_storage(self.name) if self.remote else open_local(self.name)
        self._ledger = ledger
        self._earlier: dict[str, list[Stamp]] = {}
        self._now: dict[str, list[Stamp]] = {}
        self._load()

    def create(self) -> None:
        """Make the folder where there is none; raises ConfigError where a file is in its place."""
        if self.remote:
            try_writing(f"{self.name}/{self._names.of(0)}")
            return
        if Path(self.name).exists() and not Path(self.name).is_dir():
            raise ConfigError(f"{self.name} is a file, not a folder: give another name")
        with write_errors(self.name):
            Path(self.name).mkdir(parents=True, exist_ok=True)

    def foreign(self) -> str | None:
        """The name of a shard in the folder that this job did not write."""
        for name, info in self._listing().items():
            in_the_way = name.endswith(self._names.foreign) or self._names.number(name) is not None
            if in_the_way and not _is_ours(info, self._all(name)):
                return name
        return None

    def start(self) -> None:
        """Begin a new series; the shards that are there count as an earlier run's."""
        number = self._names.number
        stamps = {n: [_stamp(info)] for n, info in self._listing().items() if number(n) is not None}
        self._earlier, self._now = stamps, {}
        with write_errors(self._ledger):
            lines = [{"name": name, "stamp": stamp, "earlier": True} for name, [stamp] in stamps.items()]
            self._ledger.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
        self._recorded(self._ledger.name)

    def publish(self, part: Path, number: int) -> None:
        """Move a finished shard to its place."""
        name = self._names.of(number)
        stamp = _stamp({"size": part.stat().st_size, "mtime": part.stat().st_mtime})
        if self.remote:
            stamp["mtime"] = None
        with write_errors(self._ledger), self._ledger.open("ab") as ledger:
            ledger.write(orjson.dumps({"name": name, "stamp": stamp}) + b"\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        self._recorded(self._ledger.name)
        self._now.setdefault(name, []).append(stamp)
        place = f"{self.name}/{name}"
        (target(place) if self.remote else LocalTarget(Path(place), follow=False)).publish(part)

    def size(self, number: int) -> int | None:
        """Bytes of a shard that is there, or None."""
        info = self._listing(self._names.of(number)).get(self._names.of(number))
        return int(info["size"]) if info else None

    def local(self, number: int) -> Path | None:
        """Where a shard can be read in place."""
        return None if self.remote else Path(self.name) / self._names.of(number)

    def take_back(self, number: int, part: Path) -> None:
        """Make a shard a working part again."""
        path = f"{self._path}/{self._names.of(number)}"
        if self.remote:
            with storage_errors(self.name):
                self._files.get(path, str(part))
        else:
            with write_errors(path):
                shutil.move(path, part)

    def check_whole(self, number: int) -> None:
        """Check that all shards of this series before ``number`` are there; OutputGone, OutputExists."""
        listing = self._listing()
        for name in sorted(self._now):
            if (self._names.number(name) or 0) >= number:
                continue
            info = listing.get(name)
            if info is None:
                raise OutputGone(f"{self.name}/{name} is gone")
            if info["size"] not in {stamp["size"] for stamp in self._now[name]}:
                raise output_changed(f"{self.name}/{name}")

    def remove_from(self, number: int, *, earlier: bool) -> None:
        """Remove the series' shards from ``number`` on; with ``earlier``, those of earlier runs too."""
        for name, info in self._listing().items():
            own = self._names.number(name)
            if own is None or own < number:
                continue
            stamps = self._all(name) if earlier else self._now.get(name, [])
            if _is_ours(info, stamps):
                with storage_errors(f"{self.name}/{name}"):
                    self._files.rm(f"{self._path}/{name}")

    def _all(self, name: str) -> list[Stamp]:
        return self._earlier.get(name, []) + self._now.get(name, [])

    def _listing(self, name: str = "") -> dict[str, dict[str, Any]]:
        with storage_errors(self.name):
            self._files.invalidate_cache()
            try:
                infos = self._files.ls(f"{self._path}/{name}" if name else self._path, detail=True)
            except (FileNotFoundError, NotADirectoryError):
                return {}
        return {info["name"].rstrip("/").rpartition("/")[2]: info for info in infos}

    def _load(self) -> None:
        for name, stamp, earlier in _entries(self._ledger):
            if self._names.number(name) is not None:
                stamps = self._earlier if earlier else self._now
                stamps.setdefault(name, []).append(stamp)


def _entries(ledger: Path) -> Iterator[tuple[str, Stamp, bool]]:
    """Name and stamp of each shard in a ledger, and whether it is an earlier run's.

    What is damaged is passed over: a shard that is not known as ours is never touched.
    """
    try:
        lines = read_regular(os.fspath(ledger), MAX_LEDGER_BYTES).split(b"\n")
    except PictureError:
        return
    for line in lines:
        entry = decode_object(line) or {}
        name, stamp = entry.get("name"), entry.get("stamp")
        if isinstance(name, str) and isinstance(stamp, dict) and isinstance(stamp.get("size"), int):
            yield name, {"size": stamp["size"], "mtime": stamp.get("mtime")}, bool(entry.get("earlier"))


Stamp = dict[str, Any]


def _stamp(info: dict[str, Any]) -> Stamp:
    """Size and time of an entry; remote storage sets its own time, so only the size counts there."""
    return {"size": info["size"], "mtime": info.get("mtime")}


def _is_ours(info: dict[str, Any], stamps: list[Stamp]) -> bool:
    times = (None, info.get("mtime"))
    return any(stamp["size"] == info["size"] and stamp["mtime"] in times for stamp in stamps)
