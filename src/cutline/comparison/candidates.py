"""Who is compared: from the words of a command to jobs and outputs, each under a name of its own."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from cutline import registry
from cutline.captioners.factory import options_of
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins import load_plugins
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.prompts import load_prompts, parse_prompt_option

OUTPUTS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
"""What ends in one of these is the output of an earlier run."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Somebody who captions, or the ``output`` of somebody who did: then there is no job."""

    name: str
    job: Job | None = None
    key: Secret | None = None
    output: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Word:
    """One word of the command, taken apart."""

    name: str
    what: str

    @property
    def is_output(self) -> bool:
        return Path(self.what).suffix.lower() in OUTPUTS

    @property
    def is_chain(self) -> bool:
        return Path(self.what).suffix.lower() == ".toml"

    @property
    def provider(self) -> str:
        """The provider that the model names itself; empty where it needs --endpoint."""
        provider = self.what.partition(":")[0]
        named = provider in registry.names("captioners") or provider in PRESETS
        return provider if named and provider != "endpoint" else ""


def contestants_of(
    words: Sequence[str], job: Job, key: Secret | None = None, *, used: frozenset[str] = frozenset()
) -> tuple[Candidate, ...]:
    """The contestants that ``words`` name, asked as ``job`` says: every model with every prompt.

    A word is a model, a chain file or an output, ``name=…`` before it names it. ``job`` has no model and
    no output of its own. An option goes to every model that has a use for it; the endpoint, and the key
    with it, to the models that name no provider. ``used`` options have a use elsewhere too.

    Raises:
        ConfigError: fewer than two, an unknown one, two of one name, or an option that nobody has a use for.
    """
    load_plugins(job.model.plugin)
    found = [_Word(name or what, what) for name, what in map(parse_prompt_option, words)]
    for word in found:
        _check(word, job)
    _check_options([word for word in found if not word.is_output], job, key, used)
    contestants: list[Candidate] = []
    for word in found:
        if word.is_output:
            contestants.append(Candidate(name=word.name, output=word.what))
        elif word.is_chain:
            contestants.append(Candidate(name=word.name, job=_for_chain(word, job), key=key))
        else:
            contestants.extend(_asked(word, job, key))
    _check_names(contestants)
    return tuple(contestants)


def _asked(word: _Word, job: Job, key: Secret | None) -> Iterable[Candidate]:
    """A model with each of the prompts."""
    own = _for_model(word, job)
    mine = key if job.model.endpoint is None or not word.provider else None
    if word.provider and word.provider not in PRESETS:
        mine = None
    prompts = job.prompts.prompt
    if len(prompts) < 2:
        yield Candidate(name=word.name, job=own, key=mine)
        return
    for value, prompt in zip(prompts, load_prompts(prompts), strict=True):
        one = dataclasses.replace(own, prompts=dataclasses.replace(own.prompts, prompt=(value,)))
        yield Candidate(name=f"{word.name} · {prompt.name}", job=one, key=mine)


def _for_chain(word: _Word, job: Job) -> Job:
    """The job with the chain, whose steps have prompts of their own."""
    model = dataclasses.replace(job.model, chain=word.what)
    return dataclasses.replace(job, model=model, prompts=dataclasses.replace(job.prompts, prompt=()))


def _for_model(word: _Word, job: Job) -> Job:
    """The job with the model, and without the options that others have a use for and it has not."""
    endpoint = None if word.provider else job.model.endpoint
    useless = assembly.given_options(job).keys() - _honoured(word, job)
    changes: dict[str, Any] = {}
    for group in ("model", "local", "server", "pictures"):
        options = getattr(job, group)
        default = type(options)()
        named = {field.name for field in dataclasses.fields(options)} & useless
        changes[group] = dataclasses.replace(options, **{name: getattr(default, name) for name in named})
    changes["model"] = dataclasses.replace(changes["model"], model=word.what, endpoint=endpoint)
    return dataclasses.replace(job, **changes)


def _check(word: _Word, job: Job) -> None:
    """Refuse what cannot be a contestant, with what was probably meant."""
    if word.is_output:
        if not Path(word.what).is_file():
            raise ConfigError(f"there is no output {word.what} to compare")
        return
    if word.is_chain:
        if not Path(word.what).is_file():
            raise ConfigError(f"there is no chain file {word.what}")
        return
    if Path(word.what).is_dir():
        raise ConfigError(f"{word.what} is a folder: give the pictures as --input-path {word.what}")
    if word.provider or job.model.endpoint is not None:
        return
    known = [*registry.names("captioners"), *(name for name in PRESETS if name != "endpoint")]
    close = difflib.get_close_matches(word.what.partition(":")[0], known, n=1)
    meant = f", did you mean {close[0]}?" if close else ""
    raise ConfigError(
        f"{word.what!r} is neither a model nor a file to compare{meant}; a model is PROVIDER:NAME with one "
        f"of {', '.join(known)}, or any name with --endpoint URL; an output of an earlier run ends in "
        f"{', '.join(OUTPUTS)}, a chain file in .toml"
    )


def _check_options(asked: Sequence[_Word], job: Job, key: Secret | None, used: frozenset[str]) -> None:
    """Refuse options that no contestant has a use for, and a key that could go to the wrong service."""
    models = [word for word in asked if not word.is_chain]
    if not asked:
        _refuse(_given(job, key) - used)
    elif not models and job.prompts.prompt:
        _refuse({"prompt"})
    if len(models) < len(asked) or not asked:
        return  # what a chain's steps have a use for is theirs to say
    endpoint = job.model.endpoint
    if endpoint is not None and all(word.provider for word in models):
        raise ConfigError(
            "--endpoint is for models without a provider, and every one here names its own: leave it out, "
            "or write the model as endpoint:NAME"
        )
    honoured = frozenset[str]().union(*(_honoured(word, job) for word in models))
    _refuse(assembly.given_options(job).keys() - honoured - used)
    services = sorted({word.provider for word in models} & PRESETS.keys())
    if key is not None and endpoint is None and len(services) != 1:
        variables = sorted({name for service in services for name in PRESETS[service].key_env[:1]})
        cure = f"set {' and '.join(variables)} instead" if variables else "leave it out"
        raise ConfigError(f"--api-key goes to one service, and here are {len(services)}: {cure}")


def _honoured(word: _Word, job: Job) -> frozenset[str]:
    return options_of(word.what, endpoint=None if word.provider else job.model.endpoint)


def _given(job: Job, key: Secret | None) -> set[str]:
    """The options that mean nothing where nobody is asked."""
    groups = (job.model, job.local, job.server, job.prompts, job.checks, job.run)
    given = {"api_key"} if key is not None else set()
    for group in groups:
        default = type(group)()
        names = (field.name for field in dataclasses.fields(group))
        given.update(name for name in names if getattr(group, name) != getattr(default, name))
    return given


def _refuse(names: AbstractSet[str]) -> None:
    """Raises ConfigError for options that would do nothing, if there are any."""
    if names:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(names))
        what = "it" if len(names) == 1 else "them"
        raise ConfigError(f"nobody here has a use for {options}: leave {what} out")


def _check_names(contestants: Sequence[Candidate]) -> None:
    if len(contestants) < 2:
        only = f"only {contestants[0].name} is there: " if contestants else ""
        raise ConfigError(
            f"nothing to compare: {only}name at least two models or outputs, such as "
            "`cutline compare pixels ollama:llava:7b --input-path photos/`, or give several --prompt"
        )
    seen: set[str] = set()
    for contestant in contestants:
        if contestant.name in seen:
            again = contestant.output or (contestant.job.model.model if contestant.job else "")
            raise ConfigError(
                f"two contestants are named {contestant.name!r}: name one of them, as other={again}"
            )
        seen.add(contestant.name)
