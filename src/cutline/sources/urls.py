"""Pictures behind a list of URLs: a text file, or a column of a table."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
import math
import sys
import urllib.parse
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeAlias

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line, without_signatures
from cutline.imaging import EXTENSIONS
from cutline.locations.roots import ImageRoot
from cutline.locations.stored import RemoteFile
from cutline.records import Location, Problem, Sample
from cutline.sidecars.encoding import decode_text
from cutline.sources.cells import first_text, metadata
from cutline.sources.content_types import table_type
from cutline.sources.input_files import open_binary
from cutline.sources.names import TABLE_EXTENSIONS, UniqueKeys, extension, table_ending
from cutline.sources.options import OF_COLUMNS, SourceOptions, flag_of
from cutline.sources.parts import Part, RowSource, copy_with, sample_at
from cutline.sources.rows import BadRow, Table, readable_rows
from cutline.sources.table_files import check_text_options, find_columns, open_table
from cutline.sources.table_places import begun_at, places_of
from cutline.storage import is_file_url, is_remote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_STORAGE = ("s3://", "s3a://", "gs://", "gcs://", "az://", "abfs://", "hf://")
MAX_URL_BYTES = 64 * 1024


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a row of a text file is: after ``lines`` lines, the first ``offset`` bytes."""

    row: int = 0
    lines: int = 0
    offset: int = 0


_Line: TypeAlias = tuple[str, str, str | BadRow, str | None, dict[str, Any]]


class UrlSource(RowSource):
    """One sample a line or row; the key is the URL, ``URL#2`` for one that came before.

    A row without URL becomes a skip. A line that is not an http(s) URL becomes a failure named after its
    line or row.
    """

    takes: ClassVar[frozenset[str]] = OF_COLUMNS - {"image_column"} | {
        "follow_links",
        "user_agent",
        "text_encoding",
    }

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when there is no such file, or no column of URLs in it."""
        super().__init__(path, options)
        self._table: Table | None = None
        self._place = _Place()
        folder = path.rpartition("/")[0] or ("/" if path.startswith("/") else ".")
        root, links = self._options.image_root or folder, self._options.follow_links
        self._root = ImageRoot(root, base=folder, follow_links=links)
        if (ending := table_ending(path)) in TABLE_EXTENSIONS or (ending != "txt" and table_type(path)):
            self._table = open_table(path, self._options)
            check_text_options(self._table, self._options)
            columns = find_columns(self._table, self._options)
            if columns.url is None:
                raise ConfigError(
                    f"{path}: no column is known to hold URLs; name it with --url-column. "
                    f"The columns are {', '.join(map(repr, self._table.columns))}"
                )
            self._url_column, self._text_column = columns.url, columns.text
        else:
            for name in filter(self._options.has, sorted(self.takes & OF_COLUMNS - {"image_root"})):
                raise ConfigError(f"{path} is a list of URLs, without columns: remove {flag_of(name)}")
            if self._options.text_encoding is not None and not self._options.writes_texts:
                raise ConfigError(f"{path} is read as UTF-8: remove --text-encoding, and save it so")
            open_binary(path).close()

    def _no_rows(self) -> str:
        if self._table is not None:
            return f"{self._path} holds no rows"
        return f"{self._path} names no picture: write a URL or a path on each line"

    def shards(self, count: int) -> list[Self]:
        """By lines or rows; the URLs are read through once."""
        total = self.count()
        if total is None:
            total = sum(1 for _ in self._rows(only_urls=True))
        keys = (self._key(place, cell) for place, _, cell, *_ in self._rows(only_urls=True))
        parts = list(self._part.split(total, count, keys))
        if (table := self._table) is not None:
            begins = places_of(table, [part.start for part in parts])
            placed = zip(parts, begins, strict=True)
            return [copy_with(self, _part=part, _table=begun_at(table, place)) for part, place in placed]
        places = self._places(parts)
        return [copy_with(self, _part=part, _place=place) for part, place in zip(parts, places, strict=True)]

    def _places(self, parts: list[Part]) -> list[_Place]:
        """Where each part begins, so that it does not read what is before it."""
        wanted, found = {part.start for part in parts}, {}
        lines = enumerate(_lines(self._path, self._place), self._place.row)
        for row, (number, offset, _) in itertools.islice(lines, parts[-1].start - self._place.row + 1):
            if row in wanted:
                found[row] = _Place(row=row, lines=number - 1, offset=offset)
        return [found.get(part.start, self._place) for part in parts]

    def count(self) -> int | None:
        if self._part.stop < sys.maxsize:
            return self._part.length(sys.maxsize)
        if self._table is not None:
            total = self._table.count()
        else:
            total = None if is_remote(self._path) else sum(1 for _ in _lines(self._path))
        return None if total is None else self._part.length(total)

    @property
    def column_types(self) -> Mapping[str, Any]:
        return {} if self._table is None else self._table.types

    def _rows(self, *, only_urls: bool = False) -> Iterator[_Line]:
        return itertools.islice(
            self._rows_from(self._part.start, only_urls=only_urls), self._part.length(sys.maxsize)
        )

    def _rows_from(self, first: int, *, only_urls: bool) -> Iterator[_Line]:
        """For each row its key where it has no URL, its place in the file, its URL, text and metadata."""
        if self._table is None:
            lines = _lines(self._path, self._place)
            for number, _, line in itertools.islice(lines, first - self._place.row, None):
                yield f"line-{number:08}", f"line {number}", line, None, {}
            return
        rows = readable_rows(self._table, first, only=self._url_column if only_urls else None)
        for number, (where, row) in enumerate(rows, first):
            place = f"row-{number:08}"
            if isinstance(row, BadRow):
                yield place, where, row, None, {}
            else:
                text = first_text(row.get(self._text_column)) if self._text_column else None
                yield place, where, _cell(row.get(self._url_column)), text, metadata(row)

    def _sample(self, keys: UniqueKeys, *row: Any) -> Sample:
        place, where, url, text, data = row
        if url == "":
            nothing = Problem(kind="no-image", message="the row holds no URL", skip=True)
            return sample_at(place, nothing, text=text, metadata=data)
        if isinstance(url, str) and url.lower().startswith(_STORAGE):
            name, found = self._on_storage(url, place)
            return sample_at(keys.unique(name), found, text=text, metadata=data)
        if isinstance(url, str) and self._is_path(url):
            name, found = self._root.find(url, place)
            return sample_at(keys.unique(name), found, text=text, metadata=data)
        wrong = url.message if isinstance(url, BadRow) else not_a_url(url)
        if wrong or isinstance(url, BadRow):
            damaged = isinstance(url, BadRow) and url.kind == "damaged-shard"
            kind = "damaged-shard" if damaged else "bad-url"
            return sample_at(place, Problem(kind=kind, message=f"{where}: {wrong}"))
        return Sample(key=keys.unique(url), location=RemoteFile(url), text=text, metadata=data)

    def _key(self, place: str, cell: str | BadRow) -> str | None:
        """The key of a row, unless an earlier one has it; None for one that is named by its place."""
        if isinstance(cell, str) and cell.lower().startswith(_STORAGE):
            return self._on_storage(cell, place)[0]
        if isinstance(cell, str) and self._is_path(cell):
            return self._root.find(cell, place)[0]
        return _url(cell)

    def _is_path(self, text: str) -> bool:
        """Whether a line, or a file URL anywhere, names a picture on this machine."""
        return is_file_url(text) or (self._table is None and _is_path(text))

    def _on_storage(self, url: str, place: str) -> tuple[str, Location | Problem]:
        """The picture at a URL such as ``s3://…``, within the image root only."""
        if self._options.image_root is None:
            bucket = "/".join(url.split("/")[:3])
            message = f"{url[:300]!r} would be read with your credentials; --image-root {bucket} allows that"
            return place, Problem(kind="blocked-path", message=message)
        return self._root.find(url, place)


def _is_path(line: str) -> bool:
    return "://" not in line and extension(line.rpartition("/")[2]) in EXTENSIONS


def _cell(value: Any) -> str | BadRow:
    """The URL in a cell, empty where there is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):  # as pandas writes what is missing
        return ""
    return value.strip() if isinstance(value, str) else BadRow("no URL in this row")


def _url(cell: str | BadRow) -> str | None:
    """The URL that can be downloaded; None where there is none."""
    return cell if isinstance(cell, str) and cell and not not_a_url(cell) else None


def not_a_url(text: str) -> str | None:
    """Why a text cannot be downloaded, without repeating what may be a password."""
    try:
        parts = urllib.parse.urlsplit(text)
        if parts.scheme.lower() not in {"http", "https"} or not parts.hostname:
            return f"not an http or https URL: {without_signatures(text).rpartition('@')[2][:100]!r}"
        if parts.username is not None or parts.password is not None:
            return "a URL with a user name or password in it is not used"
    except ValueError as error:
        return f"not a valid URL: {one_line(error)}"
    if len(text) > MAX_URL_BYTES:
        return f"longer than {MAX_URL_BYTES:,} bytes"
    return None


def _lines(path: str, place: _Place = _Place()) -> Iterator[tuple[int, int, str]]:
    """Numbered lines from ``place`` on that are neither blank nor a comment, and at which byte each is."""
    number, end = place.lines, place.offset
    try:
        with open_binary(path) as file:
            file.seek(end)
            whole = True
            while line := file.readline(MAX_URL_BYTES + 2):
                offset, end = end, end + len(line)
                starts, whole = whole, line.endswith(b"\n")
                if not starts:
                    continue  # the rest of a line that is too long
                number += 1
                if number == 1 and line.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    raise ConfigError(f"{path} is written in UTF-16; save it as UTF-8")
                text = decode_text(line).strip()
                if text and not text.startswith("#"):
                    yield number, offset, text
    except OSError as error:
        raise SourceError(f"{path}: line {number + 1}: {one_line(error)}") from error
