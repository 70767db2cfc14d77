"""Lists of pictures as files that ``cutline caption`` takes as input: text, CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final

from cutline.errors import ConfigError
from cutline.files import new_part, write_errors
from cutline.job import Job
from cutline.locations.roots import is_within
from cutline.records import JSON, Sample
from cutline.serialization import encode_json, valid_unicode
from cutline.sources.names import extension
from cutline.sources.patterns import fixed_folder
from cutline.storage import is_remote

ENDINGS: Final = (".txt", ".csv", ".jsonl", ".parquet")
_ROWS: Final = 1000  # in a group of a Parquet file
_GROUP_BYTES: Final = 64_000_000

Row = tuple[Sample, JSON]
"""A sample and its measures by name."""

Replacement = Callable[[Path, Path], None]
"""Called with a new file and the path at which it is about to be put."""


def check_list(path: str) -> None:
    """Raises ConfigError for a name that no list can have."""
    if is_remote(path) or Path(path).suffix.lower() not in ENDINGS:
        raise ConfigError(f"the list of kept pictures is a local {', '.join(ENDINGS)} file: change {path!r}")
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder: give the name of a file")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """What a list has beside pictures and captions.

    ``measures`` by their names; ``metadata`` lists that of all samples, ``types`` those of its columns that
    are known.
    """

    measures: Sequence[str]
    metadata: Callable[[], Iterable[Mapping[str, Any]]] = lambda: ()
    types: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def values(self, sample: Sample, measured: JSON) -> JSON:
        """Those of one sample; of a measure whose name the input has too, the input's."""
        own = {_own_name(name): value for name, value in sample.metadata.items()}
        return {name: measured.get(name) for name in self.measures if name not in own} | own

    def names(self) -> list[str]:
        own = dict.fromkeys(_own_name(name) for values in self.metadata() for name in values)
        return [*own, *(name for name in self.measures if name not in own)]


def write_list(path: Path, rows: Iterable[Row], columns: Columns, before: Replacement) -> bool:
    """Replace a list by pictures with their columns; a reader finds the old or the new one.

    Pictures inside tars or tables have no path: a Parquet file holds them. Returns whether all paths are
    relative to the list's folder, so that nothing else need be named to read it.

    Raises:
        ConfigError: a picture has no path, and the list is of another format.
        SinkError: it cannot be written.
    """
    with write_errors(path):
        part = new_part(path)
        try:
            places = _Places(path)
            _WRITERS[path.suffix.lower()](part, places, rows, columns)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            before(part, path)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return places.all_relative


def image_root(job: Job) -> str:
    """The folder or URL below which all pictures of an input are."""
    root = job.input.image_root or fixed_folder(job.input_path)
    if is_remote(root):
        is_file = root == job.input_path and extension(root.rpartition("/")[2])
        return root.rpartition("/")[0] if is_file else root.rstrip("/")
    place = Path(root).absolute()
    return str(place.parent if place.is_file() else place)


def _own_name(name: str) -> str:
    """A column of the input under the name that it has in a list."""
    return f"source.{name}" if name in {"image", "caption"} else name


class _Places:
    """Names pictures as a list in its folder has them."""

    def __init__(self, path: Path) -> None:
        self._list = path
        self._folder = os.path.realpath(path.parent)
        self.all_relative = True

    def find(self, sample: Sample) -> str | None:
        """The path or URL of a picture; None for one inside another file."""
        location = sample.location
        assert location is not None
        if (url := location.url()) is not None:
            return url
        if is_remote(location.path):
            self.all_relative = False
            return location.path
        if (file := location.file()) is None:
            return None
        real = os.path.realpath(file)
        if is_within(real, self._folder):
            return os.path.relpath(real, self._folder)
        self.all_relative = False
        return real

    def path(self, sample: Sample) -> str:
        """The path or URL; raises ConfigError where there is none."""
        place = self.find(sample)
        if place is None:
            raise ConfigError(
                f"{sample.path} is inside another file and has no path for {self._list.name}: "
                "give the list a name that ends in .parquet, which then holds the pictures"
            )
        is_line = self._list.suffix.lower() == ".txt"
        if not _is_text(place) or (is_line and ("\n" in place or "\r" in place)):
            raise ConfigError(
                f"{valid_unicode(place)!r} cannot be written to {self._list.name}: rename it, "
                "or give the list a name that ends in .parquet"
            )
        return place


def _is_text(path: str) -> bool:
    """Whether a path is valid Unicode, which names of files need not be."""
    return path.encode("utf-8", "ignore").decode() == path


def _write_text(part: Path, places: _Places, rows: Iterable[Row], columns: Columns) -> None:  # noqa: ARG001 - paths only
    with part.open("w", encoding="utf-8", newline="\n") as file:
        for sample, _ in rows:
            file.write(f"{places.path(sample)}\n")


def _write_csv(part: Path, places: _Places, rows: Iterable[Row], columns: Columns) -> None:
    names = columns.names()
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "caption", *names])
        for sample, measured in rows:
            values = columns.values(sample, measured)
            cells = [_cell(values.get(name)) for name in names]
            writer.writerow([places.path(sample), sample.text or "", *cells])


def _cell(value: Any) -> Any:
    return encode_json(value).decode() if isinstance(value, dict | list) else value


def _write_json(part: Path, places: _Places, rows: Iterable[Row], columns: Columns) -> None:
    with part.open("wb") as file:
        for sample, measured in rows:
            row = {"image": places.path(sample), "caption": sample.text}
            file.write(encode_json(row | columns.values(sample, measured)) + b"\n")


def _write_parquet(part: Path, places: _Places, rows: Iterable[Row], columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from cutline.sinks.column_types import column_array

    image = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    types = _types(columns)
    schema = pa.schema([("image", image), ("caption", pa.string()), *types])
    with pq.ParquetWriter(part, schema) as writer:
        for group in _groups(places, rows):
            images = pa.array([picture for picture, _, _ in group], image)
            captions = pa.array([sample.text for _, sample, _ in group], pa.string())
            values = [columns.values(sample, measured) for _, sample, measured in group]
            others = [column_array([each.get(name) for each in values], type_) for name, type_ in types]
            writer.write_table(pa.Table.from_arrays([images, captions, *others], schema=schema))


def _types(columns: Columns) -> list[tuple[str, Any]]:
    """The columns of a Parquet list with their types: the input's own as in an output."""
    import pyarrow as pa

    from cutline.sinks.column_types import extend, storable

    known = {_own_name(name): type_ for name, type_ in columns.types.items()}
    types: dict[str, Any] = {}
    texts: set[str] = set()
    metadata = ({_own_name(name): value for name, value in each.items()} for each in columns.metadata())
    while objects := list(itertools.islice(metadata, _ROWS)):
        extend(types, objects, known, texts)
    measures = [(name, pa.float64()) for name in columns.measures if name not in types]
    return [*((name, storable(type_)) for name, type_ in types.items()), *measures]


def _groups(places: _Places, rows: Iterable[Row]) -> Iterator[list[tuple[JSON, Sample, JSON]]]:
    """Rows of some pictures each, with the bytes of those that have no path."""
    group: list[tuple[JSON, Sample, JSON]] = []
    size = 0
    for sample, measured in rows:
        place, data = places.find(sample), None
        if place is None or not _is_text(place):
            assert sample.location is not None
            data = sample.location.read()
            size += len(data)
        image = {"bytes": data, "path": valid_unicode(place or sample.key)}
        group.append((image, sample, measured))
        if len(group) == _ROWS or size > _GROUP_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


_WRITERS: Final = {
    ".txt": _write_text,
    ".csv": _write_csv,
    ".jsonl": _write_json,
    ".parquet": _write_parquet,
}


class RowFile:
    """JSON lines beside a list, which there are only if there is a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part: Path | None = None
        self._file: IO[bytes] | None = None
        self.rows = 0

    def add(self, row: JSON) -> None:
        if self._file is None:
            self._part = new_part(self.path)
            self._file = self._part.open("wb")
        self._file.write(encode_json(row) + b"\n")
        self.rows += 1

    def publish(self, before: Replacement) -> None:
        """Replace the file, or remove it if there is no line."""
        if self._file is None or self._part is None:
            self.path.unlink(missing_ok=True)
        else:
            self._file.close()
            before(self._part, self.path)
            self._part.replace(self.path)

    def discard(self) -> None:
        """Remove what was not published."""
        if self._file is not None:
            self._file.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)
