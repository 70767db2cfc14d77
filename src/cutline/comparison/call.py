"""``cutline.compare``: the command as a function."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from cutline.call_options import (
    CallOptions,
    Input,
    PromptInput,
    job_data,
    listed_source,
    path_of,
    waited_for,
)
from cutline.comparison.candidate_runs import Hooks
from cutline.comparison.results import Comparison
from cutline.comparison.runner import DEFAULT_OUTPUT, IMAGE_LIMIT, ComparisonRun, ComparisonRunner, Plan
from cutline.credentials import given_key
from cutline.display import Display
from cutline.engine.progress import ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.keyword_names import keyword_names, named_in
from cutline.records import JSON
from cutline.sources.listed import ListedSource


@keyword_names("references", "judge", "blind")
def compare(
    source: Input | None,
    candidates: Sequence[str],
    *,
    prompt: PromptInput = (),
    output: str | Path = DEFAULT_OUTPUT,
    blind: bool = False,
    references: str | Path | None = None,
    judge: str | None = None,
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
) -> Comparison:
    """Caption the same pictures with several models or prompts, and write a report.

    The same call continues an earlier one. The first 50 pictures are compared unless ``image_limit`` is
    given.

    Args:
        source: as for ``caption``; None if every candidate is an output of an earlier run.
        candidates: models, chain files and outputs of earlier runs; ``name=…`` before one names it,
            ``:prompt`` behind an output chooses one of several prompts.
        prompt: as for ``caption``; each is used with every model.
        output: ``.html`` for people, ``.json`` or ``.csv`` for programs.
        blind: call the captioners A, B … in the page, and show their names at a click.
        references: what people wrote of the pictures, as for ``cutline eval``.
        judge: a model that judges which captions are better; its figures are among the others.
        api_key: the key of the only service among the models, if its environment variable is not set.
        progress: as for ``caption``.
        **options: see ``CallOptions``; a budget is that of all candidates together.

    Returns:
        The pictures, and each candidate with its answers and figures, and why it was stopped.

    Raises:
        ConfigError: the call is invalid; the message names the cure.
        SinkError: the report or a journal cannot be written; the same call continues later.
    """
    listed = None if source is None else listed_source(source)
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else ""
    data = _options(options, prompt, listed)
    job = Job.from_dict({**data, "input_path": path, "output_path": str(output)}, origin="compare()")
    plan = Plan(
        candidates=tuple(candidates),
        job=job,
        key=given_key(api_key),
        blind=blind,
        judge=judge or "",
        references=None if references is None else path_of(references, "references"),
    )

    async def run() -> ComparisonRun:
        if not isinstance(progress, bool):
            return await ComparisonRunner(plan=plan, source=listed, hooks=Hooks(progress=progress)).run()
        with Display(quiet=not progress) as display:
            hooks = Hooks(message=display.say, progress=display.show)
            return await ComparisonRunner(plan=plan, source=listed, hooks=hooks).run()

    comparison = waited_for(run).comparison
    assert comparison is not None  # without a cancellation it is never interrupted
    results = tuple(named_in(one, "stopped") for one in comparison.candidates)
    judgment = comparison.judgment and named_in(comparison.judgment, "stopped", "warnings")
    return dataclasses.replace(comparison, candidates=results, judgment=judgment)


def _options(options: Mapping[str, Any], prompt: PromptInput, listed: ListedSource | None) -> JSON:
    """The options by the groups of a job.

    Raises:
        ConfigError: there is no such option, or a comparison does not support it.
    """
    given = {"image_limit": IMAGE_LIMIT, **options}
    data = job_data(given, call="compare()", prompt=prompt, source=listed)
    for name in ("step", "chain"):
        if data["model"].get(name):
            raise ConfigError(f"compare() has no option {name!r}: give the chain file as a candidate")
    if data["output"]:
        raise ConfigError(f"compare() does not support {', '.join(data['output'])}: remove it")
    if listed is not None and not listed.has_stable_names:
        raise ConfigError("a comparison needs stable names: give paths or URLs")
    return data
