"""Captioning from Python: the same jobs as on the command line, as a function call."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack, overload

from cutline.call_options import (
    CallOptions,
    Input,
    grouped,
    listed_source,
    prompt_options,
    refuse_parts,
    waited_for,
)
from cutline.credentials import Secret
from cutline.display import Display
from cutline.engine.progress import ProgressHook
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.errors import ConfigError
from cutline.job import (
    Job,
)
from cutline.records import JSON
from cutline.sinks.reader import read_rows


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
    **options: Unpack[CallOptions],
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
        **options: see ``CallOptions``.

    Raises:
        ConfigError: something about the call is wrong; the message names the cure.
        SinkError: the output cannot be written; calling again later goes on.
    """
    run = _Call(source, output, model, prompt, api_key, progress, options)
    return waited_for(run)


async def acaption(
    source: Input,
    output: str | Path | None = None,
    *,
    model: str = "pixels",
    prompt: str | Sequence[str] | Mapping[str, str] = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
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
        data = grouped(self._options, call="caption()")
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
