"""Options of a run: its output, its limits, and where it is executed."""

from __future__ import annotations

import dataclasses
from typing import Literal

from cutline.options.strict import StrictOptions

Existing = Literal["skip", "overwrite", "append", "prepend"]
OnMissing = Literal["warn", "fail", "ignore"]
OnChange = Literal["refuse", "redo-failed", "redo-all", "keep"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions(StrictOptions):
    """Where the captions go."""

    output_format: str | None = None
    """json, jsonl, csv, tsv, parquet, webdataset, sidecar, imagefolder, scienceqa, … [default: by name]"""
    existing: Existing | None = None
    """What to do with captions, or an output of someone else's, that are already there."""
    one_line: bool = False
    """Write captions without line breaks, as trainers read only the first line of a text file."""
    samples_per_shard: int = 1000
    """Samples in one shard of a webdataset."""
    rows_per_file: int | None = None
    """Write Parquet in files of this many rows, `out-00000.parquet` …, each as soon as it is full."""
    max_shards: int | None = None
    """Maximum number of shards of a webdataset; pictures beyond them get no caption."""
    include_raw: bool | None = None
    """Keep the model's whole response, as column `llm` [default: in Parquet only]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ClusterOptions(StrictOptions):
    """Where a run is executed."""

    engine: Literal["local", "ray"] = "local"
    """Run in this process, or on a Ray cluster."""
    address: str | None = None
    """Cluster to use: `auto` or `HOST:PORT`. [default: RAY_ADDRESS, else Ray on this machine]"""
    actors: int | None = None
    """Workers on the cluster. [default: as many as fit]"""
    gpus_per_actor: float = 0.0
    """GPUs, or a part of one, for each worker."""
    cpus_per_actor: float = 1.0
    """CPUs for each worker."""
    samples_per_task: int | None = None
    """Samples in a shard of a worker. [default: at most 1024]"""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(StrictOptions):
    """Retries, limits and what ends a run."""

    max_concurrent_requests: int | None = None
    """Maximum number of concurrent requests. [default: measured while running]"""
    enable_async: bool = True
    """Send requests concurrently; without it one after the other."""
    timeout: float = 300.0
    """Seconds for one request."""
    max_retries: int = 6
    """Number of retries of a request after a temporary error."""
    retry_delay: float = 1.0
    """Seconds before the first retry; later ones wait longer."""
    budget_tokens: int | None = None
    """Stop cleanly when this many tokens are used."""
    max_cost: float | None = None
    """Stop cleanly when this much money (US dollars) is spent."""
    prices: str | None = None
    """TOML file of prices that replaces the built-in table's entries."""
    allow_failures: int = 0
    """Number of failed pictures that still counts as success."""
    on_missing: OnMissing = "warn"
    """Rows without a picture and left-over pictures: warn, fail (exit 1) or ignore."""
    stop_after_failures: int = 200
    """Stop when this many pictures in a row failed at the model; 0 never stops."""
    on_change: OnChange = "refuse"
    """What happens to earlier captions when model, prompt or parameters have changed."""
    retry_failed: bool = False
    """Retry the pictures that failed before."""
    recheck: bool = False
    """Check with servers that pictures behind URLs are still those captioned; only others are downloaded."""
    state: str | None = None
    """Folder or URL for the journal. [default: beside the output]"""
