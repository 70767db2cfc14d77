"""What the sinks wrote, read back row by row."""

from __future__ import annotations

import contextlib
import csv
import glob
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.errors import ConfigError
from cutline.formatting import one_line
from cutline.records import JSON
from cutline.serialization import decode_foreign_json
from cutline.sidecars.table_text import USUAL, as_utf8, beginning, text_encoding, text_file
from cutline.sinks import format_of

_MAX_FIELD: Final = 1 << 30  # characters


def numbered_rows(
    output: str, output_format: str | None, *, damaged: list[str] | None = None
) -> Iterator[tuple[int, JSON]]:
    """As ``read_rows``, numbered from 1; those of JSON lines by their lines.

    ``damaged``: rows that are not objects are left out, and named there.

    Raises:
        ConfigError: there is no such file, it is damaged, or a row is not an object.
    """
    import pyarrow as pa

    number = 0
    try:
        for number, row in _numbered(output, output_format, damaged):
            if isinstance(row, dict):
                yield number, row
            elif damaged is None:
                raise ConfigError(f"{output} holds no captions of cutline: row {number} is not an object")
            else:
                damaged.append(f"row {number}")
    except (ValueError, csv.Error, pa.ArrowException, tarfile.TarError) as error:
        raise ConfigError(
            f"row {number + 1} of {output} cannot be read: {one_line(error, 200)}; fix or remove it"
        ) from None
    except OSError as error:
        raise ConfigError(f"{output} cannot be read: {error.strerror or error}") from None


def read_rows(output: str, output_format: str | None) -> Iterator[JSON]:
    """The rows of a finished output on this machine; ConfigError for sidecars."""
    return (row for _, row in _numbered(output, output_format, None))


def _numbered(output: str, output_format: str | None, damaged: list[str] | None) -> Iterator[tuple[int, Any]]:
    kind = format_of(output, output_format)
    if kind == "jsonl":
        return _json_lines(Path(output), damaged)
    return enumerate(_rows(output, kind), 1)


def _rows(output: str, kind: str) -> Iterator[JSON]:
    """The rows of any other form."""
    if kind == "json":
        yield from decode_foreign_json(as_utf8(Path(output).read_bytes()))
    elif kind in {"csv", "tsv"}:
        csv.field_size_limit(_MAX_FIELD)  # of the process; Python's own stops a file at 131,072
        with Path(output).open("rb") as file, text_file(file) as text:
            yield from csv.DictReader(text, delimiter="," if kind == "csv" else "\t")
    elif kind == "parquet":
        yield from _parquet_rows(Path(output))
    elif kind == "webdataset":
        for shard in sorted(Path(output).glob("*.tar")):
            with tarfile.open(shard) as tar:
                members = (tar.extractfile(member) for member in tar if member.name.endswith(".json"))
                yield from (orjson.loads(member.read()) for member in members if member is not None)
    elif kind == "imagefolder":
        rows = (orjson.loads(line) for line in Path(output).read_bytes().splitlines())
        yield from ({"image_id": row["file_name"], "caption": row["text"]} for row in rows)
    elif kind == "scienceqa":
        captions = orjson.loads(Path(output).read_bytes())["captions"]
        yield from ({"image_id": key, "caption": text} for key, text in captions.items())
    else:
        raise ConfigError("sidecars are not a table: read the .txt files, or write an output such as a.jsonl")


def _json_lines(output: Path, damaged: list[str] | None) -> Iterator[tuple[int, Any]]:
    with output.open("rb") as file, contextlib.ExitStack() as opened:
        lines: Iterable[bytes] = file
        if text_encoding(beginning(file)) != USUAL:
            lines = (text.encode() for text in opened.enter_context(text_file(file)))
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = decode_foreign_json(line)
            except ValueError:
                if damaged is None:
                    raise
                damaged.append(f"row {number}")
            else:
                yield number, row


def _parquet_rows(output: Path) -> Iterator[JSON]:
    """The rows of a file, or of the numbered files that stand for it."""
    import pyarrow.parquet

    parts = [] if output.exists() else sorted(output.parent.glob(f"{glob.escape(output.stem)}-*.parquet"))
    for part in parts or [output]:
        for batch in pyarrow.parquet.ParquetFile(part).iter_batches():
            yield from batch.to_pylist()
