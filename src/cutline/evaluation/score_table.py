"""The scores of each picture as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from cutline.evaluation.results import Evaluation
from cutline.files import write_atomically, write_errors

ENDINGS: Final = (".parquet", ".csv", ".jsonl")


def write_scores(evaluation: Evaluation, path: Path) -> None:
    """Write a row for each picture; raises SinkError."""
    rows = [picture.row() for picture in evaluation.pictures]
    ending = path.suffix.lower()
    if ending == ".jsonl":
        data = b"".join(orjson.dumps(row) + b"\n" for row in rows)
    elif ending == ".csv":
        data = _csv(rows)
    else:
        data = _parquet(rows)
    with write_errors(path):
        write_atomically(path, data)


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().encode()


def _parquet(rows: Sequence[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet

    texts = ("image_id", "caption", "caption against")
    fields = [pa.field(name, pa.string() if name in texts else pa.float64()) for name in rows[0]]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows, schema=pa.schema(fields)), buffer)
    return buffer.getvalue()
