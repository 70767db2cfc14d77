"""Captioning from Python: the same jobs as on the command line, as a function call."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict, Unpack, overload

from cutline.calls import Input, grouped, in_thread, listed_source, prompt_options, refuse_parts
from cutline.captioners.secrets import Secret
from cutline.display import Display
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Report
from cutline.engine.running import run_job
from cutline.errors import ConfigError
from cutline.job import (
    Existing,
    Job,
    OnChange,
)
from cutline.records import JSON
from cutline.sinks.reading import read_rows


class Options(TypedDict, total=False):
    """What ``caption`` takes besides source, output, model and prompt; as on the command line.

    ``steps`` are those of ``--step``, a model for each name.
    """

    source_type: str | None
    image_limit: int
    reader_batch_size: int
    recursive: bool
    image_column: str | None
    url_column: str | None
    text_column: str | None
    image_root: str | None
    split: str | None
    event: Sequence[str]
    allow_private_urls: bool
    steps: Mapping[str, str]
    chain: str | None
    endpoint: str | None
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    seed: int | None
    schema_dialect: Literal["response_format", "guided_json", "structured_outputs", "none"] | None
    extra: dict[str, Any]
    device: str
    dtype: Literal["auto", "float32", "bfloat16", "float16", "fp32", "bf16", "fp16"]
    batch_size: int | Literal["auto"]
    quantize: Literal["4bit", "8bit"] | None
    system_prompt: str | None
    language: str | None
    schema: str | Mapping[str, Any] | None
    trigger: str | None
    caption_prefix: str | None
    caption_suffix: str | None
    min_similarity: float | None
    similarity_model: str | None
    max_side: int
    max_bytes: int
    jpeg_quality: int
    max_pixels: int
    output_format: str | None
    existing: Existing | None
    samples_per_shard: int
    max_shards: int | None
    include_raw: bool
    max_concurrent_requests: int | None
    enable_async: bool
    timeout: float
    max_retries: int
    retry_delay: float
    budget_tokens: int | None
    max_cost: float | None
    prices: str | None
    allow_failures: int
    stop_after_failures: int
    on_change: OnChange
    retry_failed: bool
    state: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Captions:
    """What ``caption`` returns: the report of the run, and the rows of its output.

    Iterating gives one mapping a caption, with the columns of docs/outputs.md; nothing is held
    in memory when the run had an output file. ``captions[0]`` and ``captions[:3]`` read no further than
    they have to; what counts from the end reads everything.
    """

    report: Report
    rows: Sequence[JSON] | None = None
    output_format: str | None = None

    def __iter__(self) -> Iterator[JSON]:
        if self.rows is not None:
            return iter(self.rows)
        return read_rows(self.report.output, self.output_format)

    @overload
    def __getitem__(self, index: int) -> JSON: ...
    @overload
    def __getitem__(self, index: slice) -> list[JSON]: ...
    def __getitem__(self, index: int | slice) -> JSON | list[JSON]:
        if isinstance(index, slice):
            parts = (index.start, index.stop, index.step)
            if any(part is not None and part < 0 for part in parts):
                return list(self)[index]
            return list(itertools.islice(self, *parts))
        if index < 0:
            rows = collections.deque(self, maxlen=-index)
            found = rows[0] if len(rows) == -index else None
        else:
            found = next(itertools.islice(self, index, None), None)
        if found is None:
            raise IndexError(f"there is no caption {index}: there are {len(self):,}")
        return found

    def __len__(self) -> int:
        return self.report.counts.captions

    def __repr__(self) -> str:
        counts = self.report.counts
        return f"<{counts.captions} captions, {counts.failures} failures, by {self.report.model}>"

    def to_dict(self) -> dict[str, str]:
        """Captions by the picture's key."""
        return {row["image_id"]: row["caption"] for row in self}

    @property
    def failures(self) -> list[JSON]:
        """The pictures without caption: ``key``, ``kind``, ``message`` …"""
        return list(self.report.failed)

    def _repr_html_(self) -> str:
        """The first rows, for notebooks."""
        from html import escape

        rows = "".join(
            f"<tr><td>{escape(key)}</td><td>{escape(text)}</td></tr>" for key, text in self.report.first
        )
        failures = f"{self.report.counts.failures:,} failures"
        head = f"<p>{len(self):,} captions, {failures}, by {escape(self.report.model)}</p>"
        return f"{head}<table><tr><th>picture</th><th>caption</th></tr>{rows}</table>"


def caption(
    source: Input,
    output: str | Path | None = None,
    *,
    model: str = "pixels",
    prompt: str | Sequence[str] | Mapping[str, str] = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[Options],
) -> Captions:
    """Caption pictures and wait for the result; works in notebooks too.

    Args:
        source: what the command line takes (folder, file, URL list, table, tars), or a list of
            paths, URLs, encoded bytes or Pillow images.
        output: file or folder, resumable as on the command line; None keeps the rows in memory.
        model: ``provider:name``, as ``cutline models`` lists them.
        prompt: a text, a library prompt's name or a template file; several as a mapping by name.
        api_key: the service's key, where its environment variable is not set.
        progress: True draws progress on the error stream; a function gets each ``Progress``.
        **options: see ``Options``.

    Raises:
        ConfigError: something about the call is wrong; the message names the cure.
        SinkError: the output cannot be written; calling again later goes on.
    """
    run = _Call(source, output, model, prompt, api_key, progress, options)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    return in_thread(lambda: asyncio.run(run()))  # a notebook's loop is already running


async def acaption(
    source: Input,
    output: str | Path | None = None,
    *,
    model: str = "pixels",
    prompt: str | Sequence[str] | Mapping[str, str] = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[Options],
) -> Captions:
    """As ``caption``, for use within an event loop."""
    return await _Call(source, output, model, prompt, api_key, progress, options)()


class _Call:
    """One call of ``caption``: arguments to a job, the job to its rows."""

    def __init__(
        self,
        source: Input,
        output: str | Path | None,
        model: str,
        prompt: str | Sequence[str] | Mapping[str, str],
        api_key: str | None,
        progress: bool | ProgressHook,
        options: Mapping[str, Any],
    ) -> None:
        self._source = listed_source(source)
        self._path = str(source) if isinstance(source, str | Path) else ""
        if self._source is not None and output is not None and not self._source.has_stable_names:
            raise ConfigError("an output needs stable names: give paths or URLs, or leave the output out")
        self._output = None if output is None else str(output)
        self._prompts = prompt_options(prompt)
        self._model = model
        self._options = options
        self._key = Secret(api_key) if api_key else None
        self._progress = progress

    async def __call__(self) -> Captions:
        if self._output is not None:
            job = self._job(self._output)
            return Captions(report=await self._run(job), output_format=job.output.output_format)
        with tempfile.TemporaryDirectory(prefix="cutline-") as folder:
            report = await self._run(self._job(str(Path(folder) / "captions.jsonl")))
            rows = list(read_rows(report.output, "jsonl")) if report.counts.captions else []
            return Captions(report=report, rows=rows)

    def _job(self, output: str) -> Job:
        data = grouped(self._options, call="caption()", known=Options.__annotations__)
        if self._source is not None:
            refuse_parts(data)
        data["model"]["model"] = self._model
        data["prompts"]["prompt"] = self._prompts
        return Job.from_dict({**data, "input_path": self._path, "output_path": output}, origin="caption()")

    async def _run(self, job: Job) -> Report:
        if not isinstance(self._progress, bool):
            return await run_job(job, source=self._source, key=self._key, progress=self._progress)
        with Display(quiet=not self._progress) as display:
            return await run_job(job, source=self._source, key=self._key, progress=display.show)
