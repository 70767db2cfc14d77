"""Rows of CSV, TSV, JSON Lines, Parquet, Feather and Arrow files, in batches, whatever wrote them."""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import math
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import orjson

from cutline.errors import ConfigError, SourceError
from cutline.sources.names import decode_text, extension, is_remote
from cutline.sources.opening import one_line, open_binary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cutline.sources.options import SourceOptions

MAX_LINE_BYTES = 64 * 1024 * 1024
IMAGE_NAMES = (
    "image", "img", "picture", "photo", "image_path", "img_path", "image_file",
    "file_name", "filename", "filepath", "file_path", "path", "file",
)  # fmt: skip
URL_NAMES = ("url", "image_url", "img_url", "imageurl", "picture_url", "photo_url", "image_link", "uri")
TEXT_NAMES = ("caption", "captions", "text", "alt_text", "description")


@dataclasses.dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read, and why."""

    message: str


Row: TypeAlias = dict[str, Any] | BadRow


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table that was opened far enough to know its columns.

    ``columns``: name to kind: ``text``, ``bytes``, ``picture`` (bytes and path together), ``list`` or
    ``other``. ``rows``: opens the file anew. ``count``: None when only reading everything would tell.
    """

    path: str
    columns: dict[str, str]
    rows: Callable[[], Iterator[Row]]
    count: Callable[[], int | None]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold what; None where there is no such column."""

    image: str | None
    url: str | None
    text: str | None


def open_rows(path: str, batch_size: int) -> Table:
    """Look at a table's header.

    Raises:
        ConfigError: it does not exist or is no such table; one line, with the cause.
    """
    ending = extension(path)
    if ending in {"csv", "tsv"}:
        return _csv_table(path, ending)
    if ending in {"jsonl", "ndjson"}:
        return _json_table(path)
    if ending in {"parquet", "feather", "arrow"}:
        from cutline.sources.arrow import arrow_table

        return arrow_table(path, ending, max(1, batch_size))
    raise ConfigError(f"{path}: not a table; CSV, TSV, JSON Lines, Parquet, Feather and Arrow are read")


def find_columns(table: Table, options: SourceOptions) -> Columns:
    """The columns the user named, else those whose name or type tells.

    Raises:
        ConfigError: a named column is not there, or nothing tells where the pictures are.
    """
    for named in (options.image_column, options.url_column, options.text_column):
        if named is not None and named not in table.columns:
            raise ConfigError(f"{table.path} has no column {named!r}; it has {_listed(table)}")
    image = options.image_column or _image_column(table)
    url = options.url_column or _named(table, URL_NAMES, {"text"})
    if image is None and url is None:
        raise ConfigError(
            f"{table.path}: no column is known to hold pictures or URLs; name it with --image-column or "
            f"--url-column. The columns are {_listed(table)}"
        )
    return Columns(
        image=image, url=url, text=options.text_column or _named(table, TEXT_NAMES, {"text", "list"})
    )


def _image_column(table: Table) -> str | None:
    binary = {name: kind for name, kind in table.columns.items() if kind in {"picture", "bytes"}}
    named = _named(table, IMAGE_NAMES, {"picture", "bytes"})
    only = next(iter(binary)) if len(binary) == 1 else None
    return named or only or _named(table, IMAGE_NAMES, {"text"})


def _named(table: Table, names: tuple[str, ...], kinds: set[str]) -> str | None:
    lower: dict[str, str] = {}
    for column, kind in table.columns.items():
        if kind in kinds:
            lower.setdefault(column.lower(), column)
    return next((lower[name] for name in names if name in lower), None)


def _listed(table: Table) -> str:
    names = [repr(name) for name in table.columns]
    return ", ".join(names[:40]) + (" …" if len(names) > 40 else "") or "none"


def _csv_table(path: str, ending: str) -> Table:
    with _open_text(path) as file:
        first = file.readline(1_000_000)
    delimiter = "\t" if ending == "tsv" else ";" if ";" in first and "," not in first else ","
    try:
        header = next(csv.reader([first], delimiter=delimiter), [])
    except csv.Error as error:
        raise ConfigError(f"{path}: the first line is no header: {error}") from error
    if not header:
        raise ConfigError(f"{path} is empty; its first line has to name the columns")

    def rows() -> Iterator[Row]:
        with _open_text(path) as file:
            reader = csv.reader(file, delimiter=delimiter)
            try:
                next(reader)
                for fields in reader:
                    if len(fields) > len(header):
                        yield BadRow(f"{len(fields)} fields where the header has {len(header)}")
                    elif fields:
                        yield dict(itertools.zip_longest(header, fields))
            except (csv.Error, OSError, ValueError) as error:
                raise SourceError(f"{path}: line {reader.line_num}: {one_line(error)}") from error

    return Table(path=path, columns=dict.fromkeys(header, "text"), rows=rows, count=_counter(path, rows))


def _json_table(path: str) -> Table:
    def rows() -> Iterator[Row]:
        with open_binary(path) as file:
            try:
                for line in _lines(file):
                    if (row := _json_row(line)) is not None:
                        yield row
            except OSError as error:
                raise SourceError(f"{path}: {one_line(error)}") from error

    columns: dict[str, str] = {}
    first = list(itertools.islice(rows(), 100))
    for row in first:
        for name, value in row.items() if isinstance(row, dict) else ():
            if columns.get(name, "other") == "other":
                columns[name] = (
                    "text" if isinstance(value, str) else "list" if isinstance(value, list) else "other"
                )
    if not columns:
        said = first[0].message if first and isinstance(first[0], BadRow) else "there are no rows"
        raise ConfigError(f"{path}: one JSON object a line is needed; {said}")
    return Table(path=path, columns=columns, rows=rows, count=_counter(path, rows))


def _json_row(line: bytes) -> Row | None:
    if len(line) > MAX_LINE_BYTES:
        return BadRow(f"longer than {MAX_LINE_BYTES:,} bytes")
    text = line.removeprefix(b"\xef\xbb\xbf").strip()
    if not text:
        return None
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return BadRow(f"no valid JSON: {one_line(error)}")
    return value if isinstance(value, dict) else BadRow("a JSON value that is no object")


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines; one that is too long is cut, so that it can be told and does not fill the memory."""
    while line := file.readline(MAX_LINE_BYTES + 1):
        rest = line
        while len(rest) > MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(MAX_LINE_BYTES + 1)
        yield line


def _counter(path: str, rows: Callable[[], Iterator[Row]]) -> Callable[[], int | None]:
    return lambda: None if is_remote(path) else sum(1 for _ in rows())


def _open_text(path: str) -> io.TextIOWrapper:
    """Bytes that are not of the encoding are kept as surrogates, as Python does for file names."""
    file = open_binary(path)
    mark = file.read(2)
    file.seek(0)
    encoding = "utf-16" if mark in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    return io.TextIOWrapper(file, encoding=encoding, errors="surrogateescape", newline="")


def plain(value: Any) -> Any:
    """The value as JSON can hold it: dates as ISO text, bytes as their length, what is unknown as text."""
    if value is None or isinstance(value, bool):
        return value
    for types, convert in _CONVERSIONS:
        if isinstance(value, types):
            return convert(value)
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _repaired(text: str) -> str:
    if any("\ud800" <= sign <= "\udfff" for sign in text):
        return decode_text(text.encode("utf-8", "surrogateescape"))
    return text


_CONVERSIONS: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    (str, lambda text: text if text.isascii() else _repaired(text)),
    (int, lambda number: number if -(2**63) <= number < 2**64 else str(number)),
    (float, lambda number: number if math.isfinite(number) else None),
    ((bytes, bytearray, memoryview), lambda data: f"<{len(data)} bytes>"),
    (dict, lambda data: {str(key): plain(inner) for key, inner in data.items()}),
    ((list, tuple, set, frozenset), lambda items: [plain(inner) for inner in items]),
)


def first_text(value: Any) -> str | None:
    """A caption out of a cell: the text, the first of a list of them, or None for what holds none."""
    if isinstance(value, list | tuple) and value:
        value = value[0]
    text = plain(value) if isinstance(value, str) else None
    return text.strip() or None if text else None


def metadata(row: dict[str, Any], leave_out: str | None = None) -> dict[str, Any]:
    """The row's cells as JSON values, without bytes."""
    return {
        str(name): plain(value)
        for name, value in row.items()
        if name != leave_out and name is not None and not isinstance(value, bytes)
    }
