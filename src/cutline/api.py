"""Captioning from Python: the same jobs as on the command line, as a function call."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Unpack, overload

from cutline.call_options import (
    FIXED_BY_LOAD,
    CallOptions,
    Input,
    PromptInput,
    job_data,
    listed_source,
    model_name,
    waited_for,
)
from cutline.captioners.pool import CaptionerPool
from cutline.captions import Captions, named_report
from cutline.credentials import given_key
from cutline.display import progress_hook
from cutline.engine.model_session import ModelSession
from cutline.engine.progress import Progress, ProgressHook
from cutline.engine.report import Report
from cutline.engine.run import run_job
from cutline.errors import ConfigError
from cutline.imaging import EXTENSIONS
from cutline.imaging.picture_objects import PictureObject, held, is_one
from cutline.job import Job
from cutline.keyword_names import keyword_names, with_keywords
from cutline.loaded_model import LoadedModel
from cutline.model_runtime import Runtime, runtime_in_use
from cutline.results import CaptionOptions, CaptionResult
from cutline.sources.listed import sample_of
from cutline.sources.names import TABLE_EXTENSIONS, extension, is_tar
from cutline.sources.patterns import is_pattern
from cutline.sources.unknown_files import is_picture, sniff_file
from cutline.storage import is_remote, named_path
from cutline.temporary_folders import temporary_folder
from cutline.worker_threads import worker_threads


class CaptionArguments(CallOptions, total=False):
    """All keyword arguments of ``caption``."""

    model: str | LoadedModel
    prompt: PromptInput
    api_key: str | None
    progress: bool | ProgressHook


@overload
def caption(  # type: ignore[overload-overlap]  # bytes are iterable too
    source: PictureObject | Mapping[str, Any], output: None = None, **options: Unpack[CaptionArguments]
) -> CaptionResult: ...
@overload
def caption(
    source: str | os.PathLike[str], output: None = None, **options: Unpack[CaptionArguments]
) -> Captions | Any: ...
@overload
def caption(
    source: Input, output: str | Path | None = None, **options: Unpack[CaptionArguments]
) -> Captions: ...
def caption(
    source: Input,
    output: str | Path | None = None,
    *,
    model: str | LoadedModel = "pixels",
    prompt: PromptInput = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
) -> Captions | CaptionResult:
    """Caption pictures and wait for the result; works in notebooks too.

    Args:
        source: what the command line takes (folder, file, URL list, table, tars), one picture (path,
            URL, encoded bytes, open file, Pillow image, array, or mapping as a table's row), or several as a
            list, a generator or a table of pandas, Polars, Arrow or Hugging Face.
        output: file or folder, resumable as on the command line; None keeps the rows in memory.
        model: ``provider:name``, as ``cutline models`` lists them, or a model from ``load``. A model that
            is loaded already with the same options is used as it is.
        prompt: a text, a library prompt's name or a template file; several as a mapping by name.
        api_key: the service's key, where its environment variable is not set.
        progress: True draws progress on the error stream; a function gets each ``Progress``, in another
            thread if a model is loaded.
        **options: see ``CallOptions``.

    Returns:
        ``CaptionResult`` for one picture without ``output``, whose failure is its ``error``, also where the
        file is missing; or ``Captions``.

    Raises:
        ConfigError: an argument is wrong; the message names the cure.
        SinkError: the output cannot be written; run the same call again to continue.
        RunStopped: one picture cannot be captioned, and no other one either.
    """
    with keyword_names():
        call = _Call(
            source, output, model=model, prompt=prompt, api_key=api_key, progress=progress, options=options
        )
        runtime = _runtime(model)
        return waited_for(call) if runtime is None else runtime.loop.run(call(runtime.pool))


@overload
async def acaption(  # type: ignore[overload-overlap]  # bytes are iterable too
    source: PictureObject | Mapping[str, Any], output: None = None, **options: Unpack[CaptionArguments]
) -> CaptionResult: ...
@overload
async def acaption(
    source: str | os.PathLike[str], output: None = None, **options: Unpack[CaptionArguments]
) -> Captions | Any: ...
@overload
async def acaption(
    source: Input, output: str | Path | None = None, **options: Unpack[CaptionArguments]
) -> Captions: ...
async def acaption(
    source: Input,
    output: str | Path | None = None,
    *,
    model: str | LoadedModel = "pixels",
    prompt: PromptInput = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
) -> Captions | CaptionResult:
    """As ``caption``, for use within an event loop."""
    with keyword_names():
        call = _Call(
            source, output, model=model, prompt=prompt, api_key=api_key, progress=progress, options=options
        )
        runtime = _runtime(model)
        return await (call() if runtime is None else runtime.loop.arun(call(runtime.pool)))


class _Call:
    """One call of ``caption``: from its arguments to a job, and from the job to the result."""

    def __init__(
        self,
        source: Input,
        output: str | Path | None,
        *,
        model: str | LoadedModel,
        prompt: PromptInput,
        api_key: str | None,
        progress: bool | ProgressHook,
        options: Mapping[str, Any],
    ) -> None:
        source = held(source)
        self._picture = source if output is None and _is_picture(source, options) else None
        self._source = listed_source(source)
        self._path = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
        if self._source is not None and output is not None and not self._source.has_stable_names:
            raise ConfigError("an output needs stable names: give paths or URLs, or leave the output out")
        self._output = None if output is None else str(output)
        self._prompt = prompt
        self._model = model
        self._options = options
        self._key = given_key(api_key)
        self._progress = progress
        if isinstance(model, LoadedModel):
            fixed = sorted(FIXED_BY_LOAD & options.keys())
            if api_key or fixed:
                name = "api_key" if api_key else fixed[0]
                raise ConfigError(f"caption() with a loaded model has no option {name!r}; pass it to load()")
            self._key = model.session.key

    async def __call__(self, pool: CaptionerPool | None = None) -> Captions | CaptionResult:
        if self._picture is not None:
            return await self._one(self._picture, pool or CaptionerPool())
        if self._output is not None:
            job = self._job(self._output)
            return Captions(report=await self._run(job, pool), output_format=job.output.output_format)
        with temporary_folder("captions") as folder:
            report = await self._run(self._job(str(folder / "captions.jsonl")), pool)
            captions = Captions(report=report, output_format="jsonl")
            rows = list(captions) if report.counts.captions else []
            failed, skipped = captions.failures, captions.rejected
            return Captions(report=report, rows=rows, failed=failed, skipped=skipped)

    async def _one(self, picture: Any, pool: CaptionerPool) -> CaptionResult:
        """The result of one picture, without an output and its state."""
        sample = sample_of(picture, 1)
        session = ModelSession(self._job(None), self._key, pool)
        with worker_threads(), progress_hook(self._progress) as show:
            try:
                await session.open(lambda line: show(Progress(waiting_for=line)))
                outcome = await session.caption(sample, CaptionOptions())
            finally:
                await session.aclose()
            result = CaptionResult.of(outcome, image=sample.key)
            failed = result.error is not None
            if result.error is not None:
                result = dataclasses.replace(result, error=with_keywords(result.error))
            show(Progress(total=1, done=1, captions=int(not failed), failures=int(failed)))
            return result

    def _job(self, output: str | None) -> Job:
        data = job_data(self._options, call="caption()", prompt=self._prompt, source=self._source)
        if isinstance(self._model, LoadedModel):
            base = self._model.job.to_dict()
            data = {group: {**base.get(group, {}), **values} for group, values in data.items()}
        else:
            data["model"]["model"] = model_name(self._model)
        return Job.from_dict({**data, "input_path": self._path, "output_path": output}, origin="caption()")

    async def _run(self, job: Job, pool: CaptionerPool | None) -> Report:
        with progress_hook(self._progress) as show:
            report = await run_job(job, source=self._source, key=self._key, progress=show, pool=pool)
        return named_report(report)


def _runtime(model: str | LoadedModel) -> Runtime | None:
    """Where the call runs: with the loaded models, if there are any that it may use."""
    return model.runtime if isinstance(model, LoadedModel) else runtime_in_use()


def _is_picture(source: Any, options: Mapping[str, Any]) -> bool:
    """Whether the source is one picture, not a listing of several."""
    if not isinstance(source, str | os.PathLike):
        return is_one(source)
    path = os.fspath(source)
    ending = extension(path)
    if options.get("source_type") is not None:
        return False
    if path.startswith(("http://", "https://")):
        return ending not in {*TABLE_EXTENSIONS, "txt"} and not is_tar(path)
    if is_remote(path) or is_pattern(path):
        return False
    place = Path(named_path(path))
    if ending in EXTENSIONS:  # also one that is not there, whose failure is its result
        return not place.is_dir()
    return ending not in {*TABLE_EXTENSIONS, "txt"} and place.is_file() and is_picture(sniff_file(str(place)))
