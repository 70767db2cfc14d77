"""What the sinks wrote, read back row by row."""

from __future__ import annotations

import csv
import glob
import tarfile
from collections.abc import Iterator
from pathlib import Path

import orjson

from cutline.errors import ConfigError
from cutline.records import JSON
from cutline.sinks import format_of


def read_rows(output: str, output_format: str | None) -> Iterator[JSON]:
    """The rows of a finished output on this machine; ConfigError for sidecars."""
    kind = format_of(output, output_format)
    if kind == "jsonl":
        with Path(output).open("rb") as lines:
            for line in lines:
                yield orjson.loads(line)
    elif kind == "json":
        yield from orjson.loads(Path(output).read_bytes())
    elif kind in {"csv", "tsv"}:
        with Path(output).open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file, delimiter="," if kind == "csv" else "\t")
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
        raise ConfigError("sidecars are no rows: read the .txt files, or give an output such as out.jsonl")


def _parquet_rows(output: Path) -> Iterator[JSON]:
    """The rows of a file, or of the numbered files that stand for it."""
    import pyarrow.parquet

    parts = [] if output.exists() else sorted(output.parent.glob(f"{glob.escape(output.stem)}-*.parquet"))
    for part in parts or [output]:
        for batch in pyarrow.parquet.ParquetFile(part).iter_batches():
            yield from batch.to_pylist()
