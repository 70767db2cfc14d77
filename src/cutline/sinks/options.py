"""Options of all sinks."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

from cutline.errors import ConfigError
from cutline.records import JSON

COMPRESSIONS = ("zstd", "snappy", "gzip", "none")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SinkOptions:
    """How outputs are written; ConfigError: a value is out of range.

    ``overwrite``: a foreign output may be replaced. ``existing``: for a sidecar that is there; the engine
    applies it to the text, the sink only to the file. ``text_encoding``: of sidecars that have no mark,
    and of new ones. ``sidecar_ext``: their ending. ``samples_per_shard``: of a webdataset.
    ``rows_per_file``: of Parquet in several files; 0 writes one. ``include_raw``: the response as column
    ``llm``; None is yes in Parquet only. ``include_checks``: the column ``checks``. ``parquet_compression``:
    one of ``COMPRESSIONS``. ``column_types``: Arrow types of the samples' metadata, and ``fields_schema`` the
    JSON schema of ``fields``, both for Parquet. ``follow_links``: sidecars may be where links lead out.
    ``recorded`` is called with the name of a file of the state folder that describes the output, before
    the output changes.
    """

    overwrite: bool = False
    existing: Literal["skip", "overwrite", "append", "prepend"] | None = None
    text_encoding: str | None = None
    sidecar_ext: str = ".txt"
    samples_per_shard: int = 1000
    rows_per_file: int = 0
    include_raw: bool | None = None
    include_checks: bool = False
    parquet_compression: str = "zstd"
    column_types: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fields_schema: JSON | None = None
    follow_links: bool = False
    recorded: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        if self.samples_per_shard < 1:
            raise ConfigError(f"a shard holds at least 1 sample, not {self.samples_per_shard}")
        if self.parquet_compression not in COMPRESSIONS:
            known = ", ".join(COMPRESSIONS)
            raise ConfigError(f"unknown compression {self.parquet_compression!r}; choose one of {known}")
