"""Opens a table of any of the formats that are read: CSV, TSV, JSON Lines, Parquet, Feather, Arrow."""

from __future__ import annotations

from cutline.errors import ConfigError
from cutline.sources.delimited import delimited_table
from cutline.sources.json_lines import json_lines_table
from cutline.sources.names import extension
from cutline.sources.rows import Table


def open_table(path: str, batch_size: int) -> Table:
    """Look at a table's header.

    Raises:
        ConfigError: it does not exist or is no such table; one line, with the cause.
    """
    ending = extension(path)
    if ending in {"csv", "tsv"}:
        return delimited_table(path, ending)
    if ending in {"jsonl", "ndjson"}:
        return json_lines_table(path)
    if ending in {"parquet", "feather", "arrow"}:
        from cutline.sources.arrow import arrow_table

        return arrow_table(path, ending, max(1, batch_size))
    raise ConfigError(f"{path}: not a table; CSV, TSV, JSON Lines, Parquet, Feather and Arrow are read")
