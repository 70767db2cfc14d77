"""Build a chain from ``--step`` or ``--chain``: each step with its own captioner and prompt."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeAlias

import orjson

from cutline.captioners.factory import check_prompt
from cutline.captioners.spec import HEADER_OPTIONS, LOCAL_OPTIONS, PICTURE_OPTIONS, SERVER_OPTIONS, Spec
from cutline.chain import Chain, ChainStep
from cutline.chain_file import Plan, PlannedStep, plan_of_options, read_plan
from cutline.credentials import Secret, without_credentials
from cutline.engine.fingerprint import Fingerprint
from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.interfaces import Captioner
from cutline.job import Job
from cutline.options import ModelOptions
from cutline.prompts import Prompt, load_prompt
from cutline.records import JSON

FIRST_PROMPT = "scene"
LATER_PROMPT = "refine"

BuildCaptioner: TypeAlias = Callable[[Job, Secret | None], Captioner]
ChoosePrompt: TypeAlias = Callable[[Job, Prompt], Prompt]
"""A job's prompt; its second argument is the default."""

STEP_OPTIONS: dict[str, tuple[str, ...]] = {
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
"""The job's options that a step can override, by their group."""


def is_chain(job: Job) -> bool:
    return job.model.chain is not None or bool(job.model.step)


def plan_of(job: Job) -> Plan:
    """The plan of the job's chain; raises ConfigError for an unreadable file or a malformed step."""
    if job.model.chain is not None:
        return read_plan(job.model.chain)
    return plan_of_options(job.model.step)


def build_chain(job: Job, key: Secret | None, captioner_of: BuildCaptioner, prompt_of: ChoosePrompt) -> Chain:
    """The job's chain; raises ConfigError, naming the step that cannot be used."""
    plan = plan_of(job)
    jobs = _with_headers([_job_of(job, plan, step) for step in plan.steps], plan)
    steps: list[ChainStep] = []
    for planned, own, step_key in zip(plan.steps, jobs, _keys(jobs, key), strict=True):
        try:
            captioner = captioner_of(own, step_key)
            prompt = prompt_of(own, _default_prompt(own, captioner, first=not steps))
            check_prompt(captioner, prompt, language=own.prompts.language)
        except ConfigError as error:
            raise ConfigError(f"{planned.place}: {error}") from None
        steps.append(
            ChainStep(
                name=planned.name,
                captioner=captioner,
                prompt=dataclasses.replace(prompt, name=planned.name, id=""),
                optional=planned.optional,
                truncated=own.model.truncated,
                recipe=recipe_of(own, captioner),
            )
        )
    try:
        return Chain(steps, linked=True, caption=plan.caption)
    except ConfigError as error:
        raise ConfigError(f"{plan.origin}: {error}") from None


def step_recipes(chain: Chain) -> tuple[str, ...]:
    """Each step of a chain for its fingerprint: what decides its text besides the prompt."""
    return tuple(
        f"{step.name}={step.recipe}{' optional' if step.optional else ''}"
        f"{' caption' if step.name == chain.caption else ''}"
        for step in chain.steps
    )


def _default_prompt(job: Job, captioner: Captioner, *, first: bool) -> Prompt:
    """The default prompt of a step; raises ConfigError for a later step without instructions."""
    usual = captioner.profile.default_prompt
    if usual is None and not first and not captioner.profile.instructable:
        raise ConfigError(f"{captioner.name} does not follow instructions, so {_CANNOT_ADD}")
    if usual is None or usual.prefix == Prompt().prefix or job.prompts.prompt:
        return load_prompt(FIRST_PROMPT if first else LATER_PROMPT)
    if first:
        return usual
    raise ConfigError(
        f"{captioner.name} works best without instructions, so {_CANNOT_ADD}, or give it a prompt in "
        "a --chain file"
    )


_CANNOT_ADD = "it cannot add what other steps missed; make it the first step"


def _job_of(job: Job, plan: Plan, step: PlannedStep) -> Job:
    """The job of one step: the job's own options are the defaults of every step."""
    groups: JSON = {group: {} for group in STEP_OPTIONS}
    for name, value in step.options.items():
        group = next((group for group, names in STEP_OPTIONS.items() if name in names), None)
        if group is None:
            known = ("name", "model", "prompt", "optional", *sum(STEP_OPTIONS.values(), ()))
            hint = did_you_mean(name, known)
            raise ConfigError(f"{step.place} has no setting {name!r}{hint}; known are {', '.join(known)}")
        groups[group][name] = value
    checked = Job.from_dict({**groups, "input_path": job.input_path}, origin=step.place)
    groups = {
        group: {name: getattr(getattr(checked, group), name) for name in names}
        for group, names in groups.items()
    }
    prompts: tuple[str, ...] = job.prompts.prompt if step is plan.steps[0] else ()
    if step.prompt is not None:
        prompts = (f"{step.name}={step.prompt}",)
    groups["model"] |= {"model": step.model, "step": (), "chain": None}
    groups["prompts"] |= {"prompt": prompts}
    own: Job = dataclasses.replace(
        job, **{group: dataclasses.replace(getattr(job, group), **values) for group, values in groups.items()}
    )
    try:
        own.check()
    except ConfigError as error:
        raise ConfigError(f"{step.place}: {error}") from None
    return own


def _keys(jobs: list[Job], key: Secret | None) -> list[Secret | None]:
    """The key of each step; raises ConfigError where the key given would go to several services."""
    if key is None:
        return [None] * len(jobs)
    services = [_service(job) for job in jobs]
    known = sorted({service for service in services if service is not None})
    if len(known) > 1:
        raise ConfigError(
            f"--api-key is for one service, and this chain calls {' and '.join(known)}; "
            "set each one's key in its environment variable"
        )
    return [key if service is not None or not known else None for service in services]


def _with_headers(jobs: list[Job], plan: Plan) -> list[Job]:
    """The jobs, without the chain's own headers where a step is at no service.

    Raises ConfigError where they would go to several services.
    """
    for option in HEADER_OPTIONS:
        is_shared = [
            option not in step.options and bool(getattr(job.model, option))
            for job, step in zip(jobs, plan.steps, strict=True)
        ]
        services = [_service(job) for job in jobs]
        known = sorted({name for name, shared in zip(services, is_shared, strict=True) if name and shared})
        if len(known) > 1:
            raise ConfigError(
                f"--{option} is for one service, and this chain calls {' and '.join(known)}; "
                f"write `{option}` into the steps of a --chain file that need it"
            )
        none: Any = {option: ()}
        jobs = [
            dataclasses.replace(job, model=dataclasses.replace(job.model, **none))
            if known and shared and service is None
            else job
            for job, shared, service in zip(jobs, is_shared, services, strict=True)
        ]
    return jobs


def _service(job: Job) -> str | None:
    try:
        spec = Spec.parse(job.model.model, endpoint=job.model.endpoint)
    except ConfigError:
        return None  # reported when the step is built
    if spec.preset is None:
        return None
    place = without_credentials(job.model.endpoint or "")
    return f"{spec.provider} at {place}" if place else spec.provider


def recipe_of(job: Job, captioner: Captioner) -> str:
    """What decides the step's text besides its prompt, in readable form."""
    facts = Fingerprint.of(job, model=captioner.name, prompt_ids=())
    place = f" at {facts.endpoint}" if facts.endpoint else ""
    pictures = job.to_dict().get("pictures")
    options = (facts.parameters, orjson.dumps(pictures).decode())
    return " ".join((facts.model + place, *(text for text in options if text not in {"{}", "null"})))
