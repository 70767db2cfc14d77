"""Comparing from Python: the same as on the command line, as a function call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from cutline.call_options import (
    CallOptions,
    Input,
    grouped,
    listed_source,
    prompt_options,
    refuse_parts,
    waited_for,
)
from cutline.comparison.results import Comparison
from cutline.comparison.runner import DEFAULT_OUTPUT, IMAGE_LIMIT, Ended, Plan, run_comparison
from cutline.comparison.runs import Watching
from cutline.credentials import Secret
from cutline.display import Display
from cutline.engine.progress import ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.records import JSON
from cutline.sources.listed import ListedSource


def compare(
    source: Input | None,
    contestants: Sequence[str],
    *,
    prompt: str | Sequence[str] | Mapping[str, str] = (),
    output: str | Path = DEFAULT_OUTPUT,
    blind: bool = False,
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
) -> Comparison:
    """Ask several models, or with several prompts, about the same pictures, and write the report.

    The same call goes on where an earlier one ended. The first 50 pictures are compared unless
    ``image_limit`` says otherwise.

    Args:
        source: as for ``caption``; None where every contestant is an output that tells its pictures.
        contestants: models, chain files and outputs of earlier runs; ``name=…`` before one names it.
        prompt: as for ``caption``; every model is asked each.
        output: ``.html`` to look at, ``.json`` or ``.csv`` for programs.
        blind: call the captioners A, B … in the page, and show who is who at a click.
        api_key: the key of the one service that is asked, where its environment variable is not set.
        progress: as for ``caption``.
        **options: see ``CallOptions``; a budget is that of all together.

    Returns:
        The pictures, and each contestant (``entrants``) with its answers, figures, and why it was stopped.

    Raises:
        ConfigError: something about the call is wrong; the message names the cure.
        SinkError: the report or a journal cannot be written; calling again later goes on.
    """
    listed = None if source is None else listed_source(source)
    path = "" if source is None or listed is not None else str(source)
    data = _options(options, listed)
    data["prompts"]["prompt"] = prompt_options(prompt)
    job = Job.from_dict({**data, "input_path": path, "output_path": str(output)}, origin="compare()")
    plan = Plan(words=tuple(contestants), job=job, key=Secret(api_key) if api_key else None, blind=blind)

    async def run() -> Ended:
        if not isinstance(progress, bool):
            return await run_comparison(plan, source=listed, watching=Watching(progress=progress))
        with Display(quiet=not progress) as display:
            watching = Watching(say=display.say, progress=display.show)
            return await run_comparison(plan, source=listed, watching=watching)

    comparison = waited_for(run).comparison
    assert comparison is not None  # nobody could interrupt it
    return comparison


def _options(options: Mapping[str, Any], listed: ListedSource | None) -> JSON:
    """The options by the groups of a job.

    Raises:
        ConfigError: there is no such option, or it means nothing here.
    """
    data = grouped({"image_limit": IMAGE_LIMIT, **options}, call="compare()")
    for name in ("step", "chain"):
        if data["model"].get(name):
            raise ConfigError(f"compare() has no option {name!r}: name the chain's file as a contestant")
    if data["output"]:
        raise ConfigError(f"a comparison has no use for {', '.join(data['output'])}: leave it out")
    if listed is not None:
        refuse_parts(data)
        if not listed.has_stable_names:
            raise ConfigError("a comparison needs stable names: give paths or URLs")
    return data
