"""Opens tables: CSV, TSV, JSON, JSON Lines, Parquet, Feather and Arrow; and finds their columns."""

from __future__ import annotations

import dataclasses
from typing import Any

from cutline.errors import ConfigError
from cutline.locations.stored import PACKINGS
from cutline.sources.content_types import table_type
from cutline.sources.delimited_tables import delimited_table
from cutline.sources.input_files import expand
from cutline.sources.json_tables import json_lines_table, json_table
from cutline.sources.names import (
    IMAGE_NAMES,
    TABLE_EXTENSIONS,
    TEXT_NAMES,
    URL_NAMES,
    is_part,
    is_table_extra,
    table_ending,
)
from cutline.sources.options import SourceOptions, flag_of
from cutline.sources.rows import Table
from cutline.storage import is_remote

_TEXT_ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson")
_PACKED_ENDINGS = tuple(f"{text}.{packing}" for text in _TEXT_ENDINGS for packing in PACKINGS)
_COLUMNAR_ENDINGS = (".parquet", ".arrow", ".feather")
_ENDINGS = (*_COLUMNAR_ENDINGS, *_TEXT_ENDINGS, *_PACKED_ENDINGS)
LIST_NAMES = ("images", "image", "image_paths", "pictures", "photos", "image_urls", "urls")


def list_tables(path: str, options: SourceOptions) -> tuple[str, list[str]]:
    """As ``expand``; of a folder Parquet and Arrow files, where it holds any, else text tables."""
    opened: Any = {"recursive": options.recursive, "outputs": options.outputs, "exclude": options.exclude}
    try:
        folder, files = expand(path, _ENDINGS, **opened)
    except ConfigError:
        folder, files = expand(path, ("",), **opened)
        if not (files := list(filter(is_part, files))):
            raise
    files = [file for file in files if not is_table_extra(file[len(folder) :])] or files
    columnar = [file for file in files if file.lower().endswith(_COLUMNAR_ENDINGS)]
    return folder, columnar or files


def open_table(path: str, options: SourceOptions) -> Table:
    """Read a table's header; ConfigError: it does not exist or is not such a table."""
    ending = table_ending(path)
    ending = ending if ending in TABLE_EXTENSIONS else table_type(path)
    encoding = options.text_encoding
    if ending in {"csv", "tsv"}:
        header, delimiter = options.header_row, options.delimiter
        return delimited_table(path, ending, delimiter=delimiter, header=header, encoding=encoding)
    if ending in {"jsonl", "ndjson"}:
        return json_lines_table(path, encoding)
    if ending == "json":
        return json_table(path, encoding)
    if ending in {"parquet", "feather", "arrow"}:
        from cutline.sources.arrow import arrow_table

        return arrow_table(path, ending, max(1, options.reader_batch_size))
    raise ConfigError(f"{path}: not a table; CSV, TSV, JSON Lines, Parquet, Feather and Arrow are read")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Which columns hold what; None where there is no such column."""

    image: str | None
    url: str | None
    text: str | None


def find_columns(table: Table, options: SourceOptions) -> Columns:
    """The columns in the options, else by name or type; ConfigError: there is none of pictures."""
    for named in (options.image_column, options.url_column, options.text_column, options.key_column):
        if named is not None and named not in table.columns:
            raise ConfigError(f"{table.path} has no column {named!r}; it has {_listed(table)}")
    image = options.image_column or next(
        (name for name, kind in table.columns.items() if kind == "path"), None
    )
    image = image or _image_column(table)
    url = options.url_column or _named(table, URL_NAMES, {"text"})
    if image is None and url is None:
        image = _named(table, LIST_NAMES, {"list"})
    if image is None and url is None:
        known = _named(table, (*IMAGE_NAMES, *URL_NAMES), {"text", "list", "other"})
        if known is not None:
            raise ConfigError(f"{table.path}: column {known!r} must hold one URL, path or picture a row")
        message = (
            f"{table.path}: no column is known to hold pictures or URLs; name it with --image-column or "
            f"--url-column, or add one with the pictures' paths. The columns are {_listed(table)}"
        )
        if len(table.columns) == 1 and table_ending(table.path) in {"csv", "tsv"}:
            message += "; --delimiter names the sign between them, where it is another"
        raise ConfigError(message)
    return Columns(
        image=image, url=url, text=options.text_column or _named(table, TEXT_NAMES, {"text", "list"})
    )


def is_unended(file: str) -> bool:
    """Whether a file on this machine is an Arrow stream without a mark at its end."""
    if is_remote(file) or not file.lower().endswith((".arrow", ".feather")):
        return False
    from cutline.sources.arrow import lacks_end

    return lacks_end(file)


def check_text_options(table: Table, options: SourceOptions) -> None:
    """Raise ConfigError for options of CSV and TSV where a table is neither."""
    ending = table_ending(table.path)
    ending = ending if ending in TABLE_EXTENSIONS else table_type(table.path)
    binary = ending in {"parquet", "feather", "arrow"}
    names = ["delimiter", "header_row"] if ending not in {"csv", "tsv"} else []
    names += ["text_encoding"] if binary and not options.writes_texts else []
    for name in filter(options.has, names):
        kinds = "text tables" if name == "text_encoding" else "CSV and TSV"
        raise ConfigError(f"{flag_of(name)} is for {kinds}, and {table.path} is {ending}: remove it")


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
