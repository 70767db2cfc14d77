"""From ``--step`` and ``--chain`` to a chain: each step with a captioner and a prompt of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeAlias

import orjson

from cutline.captioners.factory import (
    LOCAL_OPTIONS,
    PICTURE_OPTIONS,
    SERVER_OPTIONS,
    Spec,
    check_prompt,
)
from cutline.captioners.servers.settings import ServerOptions
from cutline.chain import Chain, ChainStep
from cutline.chain_file import Plan, PlannedStep, plan_of_options, read_plan
from cutline.credentials import Secret, without_credentials
from cutline.engine.fingerprint import Fingerprint
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.job import Job, LocalOptions, ModelOptions, PictureOptions, PromptOptions
from cutline.prompts import Prompt, load_prompt
from cutline.records import JSON

FIRST_PROMPT = "scene"
LATER_PROMPT = "refine"

BuildCaptioner: TypeAlias = Callable[[Job, Secret | None], Captioner]
ChoosePrompt: TypeAlias = Callable[[Job, Prompt], Prompt]
"""The prompt of a job that has one, and what it is where the job says nothing."""

OF_A_STEP: dict[str, tuple[str, ...]] = {
    "model": tuple(
        field.name
        for field in dataclasses.fields(ModelOptions)
        if field.name not in {"model", "step", "chain", "plugin"}
    ),
    "local": LOCAL_OPTIONS,
    "server": SERVER_OPTIONS,
    "pictures": PICTURE_OPTIONS,
    "prompts": ("system_prompt", "language", "schema"),
}
"""The job's options that a step can have for itself, by their group."""


def is_chain(job: Job) -> bool:
    return job.model.chain is not None or bool(job.model.step)


def plan_of(job: Job) -> Plan:
    """What the job says of its chain.

    Raises:
        ConfigError: the chain file cannot be read or a step is not one.
    """
    if job.model.chain is not None:
        return read_plan(job.model.chain)
    return plan_of_options(job.model.step)


def build_chain(job: Job, key: Secret | None, captioner_of: BuildCaptioner, prompt_of: ChoosePrompt) -> Chain:
    """The job's chain.

    Raises:
        ConfigError: a step's model, prompt or options cannot be used, or the steps make no chain.
    """
    plan = plan_of(job)
    jobs = [_job_of(job, plan, step) for step in plan.steps]
    steps: list[ChainStep] = []
    for planned, own, its_key in zip(plan.steps, jobs, _keys(jobs, key), strict=True):
        try:
            captioner = captioner_of(own, its_key)
            prompt = prompt_of(own, _default_prompt(own, captioner, first=not steps))
            check_prompt(captioner, prompt, language=own.prompts.language)
        except ConfigError as error:
            raise ConfigError(f"{plan.at(planned)}: {error}") from None
        steps.append(
            ChainStep(
                name=planned.name,
                captioner=captioner,
                prompt=dataclasses.replace(prompt, name=planned.name, id=""),
                optional=planned.optional,
                recipe=_recipe(own, captioner),
            )
        )
    try:
        return Chain(steps, linked=True, caption=plan.caption)
    except ConfigError as error:
        raise ConfigError(f"{plan.origin}: {error}") from None


def described(chain: Chain) -> tuple[str, ...]:
    """A chain's steps for its fingerprint: what decides the words besides the prompts."""
    steps = (
        f"{step.name}={step.recipe}{' optional' if step.optional else ''}"
        f"{' caption' if step.name == chain.caption else ''}"
        for step in chain.steps
    )
    return tuple(steps)


def _default_prompt(job: Job, captioner: Captioner, *, first: bool) -> Prompt:
    """What a step is asked that has no prompt of its own.

    Raises:
        ConfigError: a later step's model could not understand what it is asked.
    """
    usual = captioner.profile.default_prompt
    if usual is None and not first and not captioner.profile.instructable:
        raise ConfigError(f"{captioner.name} follows no instructions, so {_CANNOT_ADD}")
    if usual is None or usual.prefix == Prompt().prefix or job.prompts.prompt:
        return load_prompt(FIRST_PROMPT if first else LATER_PROMPT)
    if first:
        return usual
    raise ConfigError(
        f"{captioner.name} describes best without instructions, so {_CANNOT_ADD}, or give it a prompt in a "
        "--chain file"
    )


_CANNOT_ADD = "it cannot be asked for what others missed: put it first"


def _job_of(job: Job, plan: Plan, step: PlannedStep) -> Job:
    """The job as if the step were all of it: the job's own options are the defaults of every step."""
    place = plan.at(step)
    groups: JSON = {group: {} for group in OF_A_STEP}
    for name, value in step.options.items():
        group = next((group for group, names in OF_A_STEP.items() if name in names), None)
        if group is None:
            known = ", ".join(("name", "model", "prompt", "optional", *sum(OF_A_STEP.values(), ())))
            raise ConfigError(f"{place} has no setting {name!r}; known are {known}")
        groups[group][name] = _schema(plan, value) if name == "schema" else value
    checked = Job.from_dict({**groups, "input_path": job.input_path}, origin=place)
    prompts: tuple[str, ...] = job.prompts.prompt if step is plan.steps[0] else ()
    if step.prompt is not None:
        prompts = (f"{step.name}={plan.place(step.prompt)}",)
    own: Job = dataclasses.replace(
        job,
        model=dataclasses.replace(
            job.model, **_given(checked.model, groups["model"]), model=step.model, step=(), chain=None
        ),
        local=dataclasses.replace(job.local, **_given(checked.local, groups["local"])),
        server=dataclasses.replace(job.server, **_given(checked.server, groups["server"])),
        pictures=dataclasses.replace(job.pictures, **_given(checked.pictures, groups["pictures"])),
        prompts=dataclasses.replace(
            job.prompts, **_given(checked.prompts, groups["prompts"]), prompt=prompts
        ),
    )
    try:
        own.check()
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from None
    return own


def _schema(plan: Plan, value: object) -> object:
    """A file's place, or a schema that is written into the chain file."""
    if isinstance(value, dict):
        return orjson.dumps(value).decode()
    return plan.place(value) if isinstance(value, str) else value


def _given(
    group: ModelOptions | LocalOptions | ServerOptions | PictureOptions | PromptOptions, names: JSON
) -> JSON:
    """The named values, as they are after checking."""
    return {name: getattr(group, name) for name in names}


def _keys(jobs: list[Job], key: Secret | None) -> list[Secret | None]:
    """Who is sent the key that was given for this run: the one service that takes one, and no other.

    Raises:
        ConfigError: several services are asked.
    """
    if key is None:
        return [None] * len(jobs)
    services = [_service(job) for job in jobs]
    asked = sorted({service for service in services if service is not None})
    if len(asked) > 1:
        raise ConfigError(
            f"--api-key is for one service, and this chain asks {' and '.join(asked)}: "
            "set each one's key in its environment variable"
        )
    return [key if service is not None or not asked else None for service in services]


def _service(job: Job) -> str | None:
    try:
        spec = Spec.parse(job.model.model, endpoint=job.model.endpoint)
    except ConfigError:
        return None  # said of its step when that is built
    if spec.preset is None:
        return None
    place = without_credentials(job.model.endpoint or "")
    return f"{spec.provider} at {place}" if place else spec.provider


def _recipe(job: Job, captioner: Captioner) -> str:
    """What decides the step's words besides its prompt, as a person can read it."""
    facts = Fingerprint.of(job, model=captioner.name, prompt_ids=())
    place = f" at {facts.endpoint}" if facts.endpoint else ""
    pictures = job.to_dict().get("pictures")
    told = [
        text for text in (facts.parameters, orjson.dumps(pictures).decode()) if text not in {"{}", "null"}
    ]
    return " ".join((facts.model + place, *told))
