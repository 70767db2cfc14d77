"""Where the job's captions go, and in which form."""

from __future__ import annotations

from pathlib import Path

from cutline.errors import ConfigError
from cutline.interfaces import Sink
from cutline.job import Job
from cutline.records import JSON
from cutline.sinks import SinkOptions, format_of, open_sink

DEFAULT_OUTPUTS = {
    "webdataset": "shards",
    "json": "captions.json",
    "csv": "captions.csv",
    "tsv": "captions.tsv",
    "parquet": "captions.parquet",
    "scienceqa": "captions.json",
}
_ONE_TEXT = {"sidecar", "scienceqa"}  # formats without a place for each prompt's answer


def output_of(job: Job) -> str:
    """Where the job's output goes: what it says, or a default in the working folder."""
    if job.output_path is not None:
        return job.output_path
    if job.output.output_format == "sidecar":
        return job.input_path
    return DEFAULT_OUTPUTS.get(job.output.output_format or "", "captions.jsonl")


def sink_of(job: Job, output: str, state: Path) -> Sink:
    """The job's sink; nothing is touched before its ``open``.

    Raises:
        ConfigError: the format is unknown, or cannot hold what the job asks for.
    """
    form = format_of(output, job.output.output_format)
    if len(job.prompts.prompt) > 1 and form in _ONE_TEXT:
        raise ConfigError(
            f"{form} holds one text a picture: give one --prompt, or write a table or shards instead"
        )
    options = SinkOptions(
        overwrite=job.output.existing == "overwrite",
        existing=job.output.existing,
        samples_per_shard=job.output.samples_per_shard,
        include_raw=job.output.include_raw,
        include_checks=job.checks.has_checks,
    )
    return open_sink(output, job.output.output_format, state, options)


def keeps_raw(job: Job, output: str) -> bool:
    return job.output.include_raw or format_of(output, job.output.output_format) == "parquet"


def form_of(job: Job, output: str) -> JSON:
    """What decides how outcomes are written: an output begun in another form is written anew."""
    options = job.output
    form: JSON = {"format": format_of(output, options.output_format), "raw": options.include_raw}
    form["existing"] = options.existing  # what was skipped under one policy is looked at anew under another
    if job.checks.has_checks:
        form["checks"] = True
    if form["format"] == "webdataset":
        form["samples_per_shard"] = options.samples_per_shard
    return form
