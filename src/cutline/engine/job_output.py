"""The output of a job: its path, its sink, and what decides how outcomes are written."""

from __future__ import annotations

from pathlib import Path

from cutline.chain import Chain
from cutline.engine.state import State
from cutline.errors import ConfigError
from cutline.interfaces import Sink, Source
from cutline.job import Job
from cutline.job_paths import default_output
from cutline.options import OutputOptions
from cutline.records import JSON
from cutline.sinks import METADATA_FILE, SinkOptions, check_ending, format_of, open_sink
from cutline.sinks.failures import FailuresSink
from cutline.sinks.rejections import RejectionsSink
from cutline.sources.outputs import RunPaths
from cutline.storage import is_remote

SIDECAR_NAMES = frozenset({"sidecar", "txt"})
_ONE_TEXT = {"sidecar", "scienceqa", "imagefolder"}  # formats that hold one text only


def output_of(job: Job) -> str:
    """The job's output path, or a default in the working folder."""
    if job.output.output_format == "imagefolder":
        return _metadata_file(job.output_path or job.input_path)
    if job.output_path is not None:
        return job.output_path
    if job.output.output_format in SIDECAR_NAMES:
        return job.input_path
    return default_output(job.output.output_format)


def _metadata_file(path: str) -> str:
    """The table of an imagefolder: in the folder that is given, or of the picture that is."""
    if path.rstrip("/").endswith(f"/{METADATA_FILE}") or path == METADATA_FILE:
        return path
    folder = str(Path(path).parent) if not is_remote(path) and Path(path).is_file() else path.rstrip("/")
    return f"{folder or '/'}/{METADATA_FILE}"


def sink_of(job: Job, output: str, state: State, chain: Chain, source: Source | None = None) -> Sink:
    """The job's sink, not opened; raises ConfigError for what does not suit the job, or would be ignored."""
    form = format_of(output, job.output.output_format)
    if job.output_path and job.output.output_format:
        check_ending(job.output_path, form)
    if len(job.prompts.prompt) > 1 and form in _ONE_TEXT:
        raise ConfigError(
            f"{form} holds one text a picture: give one --prompt, or write a table or shards instead"
        )
    if job.output.rows_per_file and form != "parquet":
        raise ConfigError(
            f"--rows-per-file is for Parquet, not {form}: remove it, or give an output that ends in .parquet"
        )
    _refuse_idle(job, form, chain)
    if form != "webdataset":
        _refuse_shard_options(job.output, form)
    options = SinkOptions(
        overwrite=job.output.existing == "overwrite",
        existing=job.output.existing,
        text_encoding=job.input.text_encoding,
        sidecar_ext=job.input.sidecar_ext,
        samples_per_shard=job.output.samples_per_shard,
        rows_per_file=job.output.rows_per_file or 0,
        include_raw=job.output.include_raw,
        include_checks=job.checks.has_checks,
        follow_links=job.input.follow_links,
        recorded=state.record,
        column_types=source.column_types if source is not None and form == "parquet" else {},
        fields_schema=chain.fields_schema,
    )
    return open_sink(output, job.output.output_format, state.folder, options)


def lists_of(job: Job, paths: RunPaths, state: Path) -> dict[str, Sink]:
    """The lists beside the output, by name: of the failures, and of the pictures that rules rejected."""
    options = SinkOptions(overwrite=job.output.existing == "overwrite")
    return {
        "failures": FailuresSink(Path(paths.failures.given), state, options),
        "rejected": RejectionsSink(Path(paths.rejected.given), state, options),
    }


def _refuse_shard_options(output: OutputOptions, form: str) -> None:
    """Raise ConfigError for options of shards, which another format would ignore."""
    usual = OutputOptions()
    for name, option in (("samples_per_shard", "--samples-per-shard"), ("max_shards", "--max-shards")):
        if getattr(output, name) != getattr(usual, name):
            raise ConfigError(
                f"{option} is for webdataset, not {form}: remove it, or add --output-format webdataset"
            )


def _refuse_idle(job: Job, form: str, chain: Chain) -> None:
    """Raise ConfigError for options that have no effect on this output or these models."""
    if job.output.include_raw and form in _ONE_TEXT:
        raise ConfigError(
            f"--include-raw is for tables and shards, not {form}: remove it, or give an output that ends in "
            ".jsonl or .parquet"
        )
    if job.model.schema_dialect is not None and all(step.prompt.schema is None for step in chain.steps):
        raise ConfigError("--schema-dialect has no effect alone: add --schema, or remove it")
    if job.model.truncated != "fail" and all(
        step.captioner.name.partition(":")[0] == "pixels" for step in chain.steps
    ):
        raise ConfigError("pixels cuts no text: remove --truncated, or choose another --model")


def keeps_raw(job: Job, output: str) -> bool:
    if job.output.include_raw is not None:
        return job.output.include_raw
    return format_of(output, job.output.output_format) == "parquet"


def form_of(job: Job, output: str) -> JSON:
    """What decides how outcomes are written; an output in another form is rewritten."""
    options = job.output
    form: JSON = {"format": format_of(output, options.output_format), "raw": bool(options.include_raw)}
    form["existing"] = options.existing  # a skip under one policy is none under another
    affixes = [job.prompts.trigger, job.prompts.caption_prefix, job.prompts.caption_suffix]
    if any(affixes):
        form["affixes"] = affixes
    if options.one_line:
        form["one_line"] = True
    if job.checks.has_checks:
        form["checks"] = True
    if form["format"] == "webdataset":
        form["samples_per_shard"] = options.samples_per_shard
    if form["format"] == "parquet":
        form["typed"] = True
        if options.include_raw is False:
            form["without_raw"] = True
    if options.rows_per_file:
        form["rows_per_file"] = options.rows_per_file
    return form
