"""``cutline.judge``: the command as a function."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Unpack

from cutline.call_options import (
    CallOptions,
    Input,
    job_data,
    listed_source,
    model_name,
    path_of,
    waited_for,
)
from cutline.credentials import given_key
from cutline.display import Display
from cutline.engine.progress import ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.judgment.judgment import Judgment
from cutline.judgment.runner import DEFAULT_OUTPUT, Hooks, JudgmentRunner, Plan
from cutline.keyword_names import keyword_names, named_in
from cutline.records import JSON


@keyword_names("images", "rubric", "people", "votes", "batch")
def judge(
    outputs: Mapping[str, str | Path] | Sequence[str | Path],
    model: str | None = None,
    *,
    rubric: bool = False,
    batch: bool = False,
    images: Input | None = None,
    output: str | Path = DEFAULT_OUTPUT,
    people: str | Path | None = None,
    votes: str | Path | Sequence[str | Path] = (),
    api_key: str | None = None,
    progress: bool | ProgressHook = False,
    **options: Unpack[CallOptions],
) -> Judgment:
    """Let a model, or people, judge which of several captions of the same pictures is better.

    The same call continues an earlier one; no game is paid for twice.

    Args:
        outputs: outputs of earlier runs, at least two, in a mapping by the names of the contestants, or as on
            the command line.
        model: the model that judges, ``provider:name``; None if people judge alone.
        rubric: rate single captions instead of pairs.
        batch: judge through the service's batch API, at half the price; the same call collects later.
        images: the pictures, as for ``caption``, if they are not at the paths in the outputs.
        output: ``.html`` for people, ``.json`` or ``.csv`` for programs.
        people: path of the voting page to write.
        votes: files saved by the voting page.
        api_key: the key of the model's service, if its environment variable is not set.
        progress: as for ``caption``.
        **options: see ``CallOptions``; those of prompts, checks, filters, chains and outputs are refused.

    Returns:
        The ranking, or the rubric, with all games or ratings, and what people voted.

    Raises:
        ConfigError: the call is invalid; the message names the cure.
        RunStopped: with ``batch``, the replies are not ready yet; the same call collects them later.
        SinkError: the result or the journal cannot be written; the same call continues later.
    """
    listed = None if images is None else listed_source(images)
    path = os.fspath(images) if isinstance(images, str | os.PathLike) else ""
    data = _options(options)
    if model is not None:
        data["model"]["model"] = model_name(model)
    job = Job.from_dict({**data, "input_path": path, "output_path": str(output)}, origin="judge()")
    plan = Plan(
        outputs=_named(outputs),
        job=job,
        key=given_key(api_key),
        judges=model is not None,
        rubric=rubric,
        batch=batch,
        people="" if people is None else path_of(people, "people"),
        votes=tuple(
            path_of(file, "votes") for file in ((votes,) if isinstance(votes, str | Path) else votes)
        ),
    )

    async def run() -> Judgment:
        if not isinstance(progress, bool):
            return await JudgmentRunner(plan, Hooks(progress=progress), source=listed).run()
        with Display(quiet=not progress) as display:
            hooks = Hooks(message=display.say, progress=display.show)
            return await JudgmentRunner(plan, hooks, source=listed).run()

    return named_in(waited_for(run), "stopped", "warnings")


def _named(outputs: Mapping[str, str | Path] | Sequence[str | Path]) -> Mapping[str, str] | tuple[str, ...]:
    if isinstance(outputs, str | Path):
        raise ConfigError(f"judge() takes several outputs: write [{str(outputs)!r}, 'other.jsonl']")
    if isinstance(outputs, Mapping):
        return {name: path_of(output, f"the contestant {name!r}") for name, output in outputs.items()}
    if not isinstance(outputs, Iterable):
        raise ConfigError(f"judge() takes outputs in a list or mapping, not {type(outputs).__name__}")
    return tuple(path_of(output, "a contestant") for output in outputs)


def _options(options: Mapping[str, Any]) -> JSON:
    """The options by the groups of a job.

    Raises:
        ConfigError: there is no such option, or a judge does not support it.
    """
    data = job_data(options, call="judge()")
    unused = [name for group in ("prompts", "checks", "filters", "output") for name in data[group]]
    unused += [name for name in ("step", "chain") if data["model"].get(name)]
    if unused:
        it = "it" if len(unused) == 1 else "them"
        raise ConfigError(f"judge() does not support {', '.join(unused)}: remove {it}")
    return data
