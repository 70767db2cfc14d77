"""Parse the candidates of a comparison: from command-line arguments to named jobs and outputs."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from cutline import registry
from cutline.captioners.factory import options_of
from cutline.captioners.hosted.presets import PRESETS
from cutline.captioners.plugins import load_plugins
from cutline.captioners.spec import HEADER_OPTIONS
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.job import Job
from cutline.prompts import load_prompts, parse_prompt_option
from cutline.sinks.chosen_captions import several_captions, split_choice

OUTPUTS = (".jsonl", ".ndjson", ".json", ".csv", ".parquet")
"""A candidate with one of these suffixes is the output of an earlier run."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A job that captions, or the ``output`` of an earlier run, which has no job."""

    name: str
    job: Job | None = None
    key: Secret | None = None
    output: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class _Spec:
    """One command-line argument: ``value`` is a model, a chain file or an output."""

    name: str
    value: str

    @property
    def is_output(self) -> bool:
        return Path(split_choice(self.value)[0]).suffix.lower() in OUTPUTS

    @property
    def is_chain(self) -> bool:
        return Path(self.value).suffix.lower() == ".toml"

    @property
    def provider(self) -> str:
        """The provider in the model's name; empty where it needs --endpoint."""
        provider = self.value.partition(":")[0]
        known = provider in registry.names("captioners") or provider in PRESETS
        return provider if known and provider != "endpoint" else ""

    def supported_options(self, job: Job) -> frozenset[str]:
        return options_of(self.value, endpoint=None if self.provider else job.model.endpoint)


def parse_candidates(
    values: Sequence[str],
    job: Job,
    key: Secret | None = None,
    *,
    used: frozenset[str] = frozenset(),
    judge: str = "",
) -> tuple[Candidate, ...]:
    """The candidates that ``values`` name, with the options of ``job``: every model with every prompt.

    A value is a model, a chain file or an output; ``name=…`` before it names it. ``job`` has no model and
    no output of its own. An option applies to every model that supports it; the endpoint, and the key
    with it, to the models without a provider. ``used`` options are used elsewhere too, and the ``judge`` uses
    what it supports.

    Raises:
        ConfigError: fewer than two, an unknown one, two of one name, or an option that none supports.
    """
    load_plugins(job.model.plugin)
    specs = [_Spec(name or value, value) for name, value in map(parse_prompt_option, values)]
    for spec in specs:
        _check(spec, job)
    captioning = [spec for spec in specs if not spec.is_output]
    if judge and not captioning:
        _refuse(_given((job.prompts, job.checks)) - used)
    _check_options([*captioning, *([_judge_spec(judge, job)] if judge else [])], job, key, used)
    candidates: list[Candidate] = []
    for spec in specs:
        if spec.is_output:
            candidates.append(Candidate(name=spec.name, output=spec.value))
        elif spec.is_chain:
            candidates.append(Candidate(name=spec.name, job=_chain_job(spec, job), key=key))
        else:
            candidates.extend(_model_candidates(spec, job, key))
    _check_names(candidates)
    return tuple(candidates)


def parse_judge(value: str, job: Job, key: Secret | None = None) -> Candidate:
    """The model that judges, with the options of ``job`` that it supports."""
    spec = _judge_spec(value, job)
    own = None if _is_elsewhere(spec, job) else key
    return Candidate(name=value, job=_model_job(spec, job), key=own)


def _judge_spec(value: str, job: Job) -> _Spec:
    spec = _Spec(value, value)
    if spec.is_output or spec.is_chain:
        raise ConfigError(f"--judge {value} is a file: give a model, such as --judge openai:gpt-4o-mini")
    _check(spec, job)
    return spec


def _model_candidates(spec: _Spec, job: Job, key: Secret | None) -> Iterable[Candidate]:
    """A model with each of the prompts."""
    own = _model_job(spec, job)
    if _is_elsewhere(spec, job):
        key = None
    prompts = job.prompts.prompt
    if len(prompts) < 2:
        yield Candidate(name=spec.name, job=own, key=key)
        return
    for value, prompt in zip(prompts, load_prompts(prompts), strict=True):
        one = dataclasses.replace(own, prompts=dataclasses.replace(own.prompts, prompt=(value,)))
        yield Candidate(name=f"{spec.name} · {prompt.name}", job=one, key=key)


def _is_elsewhere(spec: _Spec, job: Job) -> bool:
    """Whether the model is not at the service that the key and the headers are for."""
    return bool(spec.provider) and (job.model.endpoint is not None or spec.provider not in PRESETS)


def _chain_job(spec: _Spec, job: Job) -> Job:
    """The job with the chain, whose steps have prompts of their own."""
    model = dataclasses.replace(job.model, chain=spec.value)
    return dataclasses.replace(job, model=model, prompts=dataclasses.replace(job.prompts, prompt=()))


def _model_job(spec: _Spec, job: Job) -> Job:
    """The job with the model, and without the options that only other models support."""
    endpoint = None if spec.provider else job.model.endpoint
    unsupported = set(assembly.given_options(job)) - spec.supported_options(job)
    if _is_elsewhere(spec, job):
        unsupported.update(HEADER_OPTIONS)
    changes: dict[str, Any] = {}
    for group in ("model", "local", "server", "pictures"):
        options = getattr(job, group)
        default = type(options)()
        reset = {field.name for field in dataclasses.fields(options)} & unsupported
        changes[group] = dataclasses.replace(options, **{name: getattr(default, name) for name in reset})
    changes["model"] = dataclasses.replace(changes["model"], model=spec.value, endpoint=endpoint)
    return dataclasses.replace(job, **changes)


def _check(spec: _Spec, job: Job) -> None:
    """Refuse what cannot be a candidate, with what was probably meant."""
    if spec.is_output or spec.is_chain:
        if not Path(split_choice(spec.value)[0]).is_file():
            kind = "output {} to compare" if spec.is_output else "chain file {}"
            raise ConfigError(f"there is no {kind.format(spec.value)}")
        return
    if Path(spec.value).is_dir():
        raise ConfigError(f"{spec.value} is a folder: give the pictures as --input-path {spec.value}")
    if spec.provider or job.model.endpoint is not None:
        return
    known = [*registry.names("captioners"), *(name for name in PRESETS if name != "endpoint")]
    suggestion = did_you_mean(spec.value.partition(":")[0], known)
    raise ConfigError(
        f"{spec.value!r} is neither a model nor a file to compare{suggestion}; a model is PROVIDER:NAME with "
        f"one of {', '.join(known)}, or any name with --endpoint URL; an output of an earlier run ends in "
        f"{', '.join(OUTPUTS)}, a chain file in .toml"
    )


def _check_options(captioning: Sequence[_Spec], job: Job, key: Secret | None, used: frozenset[str]) -> None:
    """Refuse options that no candidate supports, and a key that could go to the wrong service."""
    models = [spec for spec in captioning if not spec.is_chain]
    if not captioning:
        _refuse(_captioning_options(job, key) - used)
    elif not models and job.prompts.prompt:
        _refuse({"prompt"})
    if len(models) < len(captioning) or not captioning:
        if models and (given := _for_one_service(job, key)):
            raise ConfigError(
                f"--{given[0]} goes to one service, and a chain may call others: "
                "compare the chain in a run of its own"
            )
        return  # the steps of a chain check their own options
    endpoint = job.model.endpoint
    if endpoint is not None and all(spec.provider for spec in models):
        raise ConfigError(
            "--endpoint is for models without a provider, and every model here names one: remove it, "
            "or write the model as endpoint:NAME"
        )
    supported = frozenset[str]().union(*(spec.supported_options(job) for spec in models))
    _refuse(assembly.given_options(job).keys() - supported - used)
    services = sorted({spec.provider for spec in models} & PRESETS.keys())
    if endpoint is not None or len(services) == 1:
        return
    for option in _for_one_service(job, key):
        variables = sorted({name for service in services for name in PRESETS[service].key_env[:1]})
        cure = f"set {' and '.join(variables)} instead" if variables and option == "api-key" else "remove it"
        raise ConfigError(f"--{option} goes to one service, and here are {len(services)}: {cure}")


def _for_one_service(job: Job, key: Secret | None) -> list[str]:
    """The given options that no second service may receive."""
    headers = [name for name in HEADER_OPTIONS if getattr(job.model, name)]
    return [*(["api-key"] if key is not None else []), *headers]


def _captioning_options(job: Job, key: Secret | None) -> set[str]:
    """The options that were given for captioning."""
    given = {"api_key"} if key is not None else set()
    return given | _given((job.model, job.local, job.server, job.prompts, job.checks, job.run))


def _given(groups: Sequence[Any]) -> set[str]:
    """The names of the options that are not left at their defaults."""
    given: set[str] = set()
    for group in groups:
        default = type(group)()
        names = (field.name for field in dataclasses.fields(group))
        given.update(name for name in names if getattr(group, name) != getattr(default, name))
    return given


def _refuse(names: AbstractSet[str]) -> None:
    """Raises ConfigError for options without effect, if there are any."""
    if names:
        options = " and ".join(f"--{name.replace('_', '-')}" for name in sorted(names))
        raise ConfigError(f"no candidate supports {options}: remove {'it' if len(names) == 1 else 'them'}")


def _check_names(candidates: Sequence[Candidate]) -> None:
    if len(candidates) < 2:
        if candidates and len(names := several_captions(candidates[0].output)) > 1:
            raise ConfigError(
                f"nothing to compare: {candidates[0].name} has several captions of each picture, name them: "
                f"`cutline compare {' '.join(names)}`"
            )
        only = f"only {candidates[0].name} is there: " if candidates else ""
        raise ConfigError(
            f"nothing to compare: {only}name at least two models or outputs, such as "
            "`cutline compare pixels ollama:llava:7b --input-path photos/`, or give several --prompt"
        )
    names = [candidate.name for candidate in candidates]
    for candidate in reversed(candidates):
        if names.count(candidate.name) > 1:
            value = candidate.output or (candidate.job.model.model if candidate.job else "")
            raise ConfigError(
                f"two candidates are named {candidate.name!r}: name one of them, as other={value}"
            )
