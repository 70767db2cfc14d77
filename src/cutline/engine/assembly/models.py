"""Whom the job asks, and what."""

from __future__ import annotations

import dataclasses
import functools

from cutline.captioners.factory import (
    LOCAL_OPTIONS,
    MODEL_OPTIONS,
    PICTURE_OPTIONS,
    SERVER_OPTIONS,
    CaptionerOptions,
    check_prompt,
)
from cutline.captioners.plugins import load_plugins
from cutline.captioners.pool import CaptionerPool
from cutline.chain import Chain, ChainStep
from cutline.credentials import Secret
from cutline.engine.chain_builder import build_chain, described, is_chain
from cutline.engine.fingerprint import Fingerprint
from cutline.engine.prices import Prices, Spending
from cutline.engine.stage_runner import StageRunner
from cutline.errors import ConfigError
from cutline.interfaces import Captioner
from cutline.job import Job
from cutline.prompts import Prompt, load_prompts, load_schema
from cutline.records import JSON


def chain_of(
    job: Job, key: Secret | None, captioner: Captioner | None = None, *, pool: CaptionerPool | None = None
) -> Chain:
    """The job's captioner, or ``captioner``, asked each prompt; or its chain, whose steps have their own.

    Raises:
        ConfigError: the model's name or key is wrong or missing, or a prompt cannot be used.
    """
    load_plugins(job.model.plugin)
    if is_chain(job):
        return build_chain(
            job,
            key,
            functools.partial(captioner_of, pool=pool or CaptionerPool()),
            lambda own, default: prompts_of(own, default)[0],
        )
    captioner = captioner or captioner_of(job, key, pool=pool)
    prompts = prompts_of(job, captioner.profile.default_prompt)
    for prompt in prompts:
        check_prompt(captioner, prompt, language=job.prompts.language)
    return Chain([ChainStep(name=prompt.name, captioner=captioner, prompt=prompt) for prompt in prompts])


def captioner_of(job: Job, key: Secret | None, *, pool: CaptionerPool | None = None) -> Captioner:
    """Who the job asks; raises as ``chain_of``."""
    load_plugins(job.model.plugin)
    check_words(job)
    return (pool or CaptionerPool()).get(job.model.model, asking_of(job, key))


def asking_of(job: Job, key: Secret | None) -> CaptionerOptions:
    """How the job's captioner is asked."""
    run = job.run
    return CaptionerOptions(
        key=key,
        endpoint=job.model.endpoint,
        options=given_options(job),
        timeout=run.timeout,
        retries=run.max_retries,
        retry_delay=run.retry_delay,
        concurrency=run.max_concurrent_requests if run.enable_async else 1,
    )


def given_options(job: Job) -> JSON:
    """The options that reach the captioner itself, by name, where they are not left at their default."""
    groups = (
        (job.model, MODEL_OPTIONS),
        (job.pictures, PICTURE_OPTIONS),
        (job.local, LOCAL_OPTIONS),
        (job.server, SERVER_OPTIONS),
    )
    return {
        field.name: getattr(group, field.name)
        for group, names in groups
        for field in dataclasses.fields(group)
        if field.name in names and getattr(group, field.name) != getattr(type(group)(), field.name)
    }


def prompts_of(job: Job, default: Prompt | None = None) -> tuple[Prompt, ...]:
    """The job's prompts, or else ``default``, with its system text, schema and language put in.

    Raises:
        ConfigError: a prompt, template or schema cannot be used.
    """
    options = job.prompts
    schema = load_schema(options.schema) if options.schema else None
    prompts = []
    for prompt in load_prompts(options.prompt) or (default or Prompt(),):
        changes: dict[str, object] = {}
        if options.system_prompt is not None:
            changes["system"] = options.system_prompt
        if schema is not None:
            changes["schema"] = schema
        if changes:
            prompt = dataclasses.replace(prompt, **changes, id="")  # type: ignore[arg-type]  # noqa: PLW2901 - the prompt of the loop is replaced
        prompts.append(prompt.with_language(options.language) if options.language else prompt)
    return tuple(prompts)


def check_words(job: Job) -> None:
    """Refuse what pixels could only ignore; of a prompt it takes the form that is asked for.

    Raises:
        ConfigError: a language or instructions are given to it.
    """
    prompts = job.prompts
    if job.model.model.partition(":")[0] != "pixels":
        return
    if prompts.language:
        raise ConfigError("pixels writes English only: --language needs a model that can be asked for it")
    if prompts.system_prompt:
        raise ConfigError("pixels follows no instructions: --system-prompt needs a model that does")


def stages_of(job: Job) -> StageRunner:
    """The job's filters and checks.

    Raises:
        MissingExtra: a stage needs an extra that is not installed.
        ConfigError: there is no such stage, or its options cannot be used.
    """
    load_plugins(job.model.plugin)
    specs, device = job.checks.specs(), job.local.device
    filters, checks = ([spec.build(device=device) for spec in specs[room]] for room in ("filters", "checks"))
    return StageRunner(filters, checks)


def prices_for(job: Job, chain: Chain) -> Prices:
    """The prices of the job's models.

    Raises:
        ConfigError: there is a money budget but no price to hold it with.
    """
    prices = Prices(chain.models.values(), job.run.prices)
    if job.run.max_cost is not None:
        check_prices(prices)
    return prices


def check_prices(prices: Prices, spent: Spending | None = None) -> None:
    """Make sure that a money budget can be held, whoever was asked in earlier runs too.

    Raises:
        ConfigError: a price is missing.
    """
    if missing := prices.without(spent):
        raise ConfigError(f"--max-cost needs a price for {' and '.join(missing)}: give it with --prices FILE")


def fingerprint_of(job: Job, chain: Chain, stages: StageRunner) -> Fingerprint:
    """What decides the outcomes of the job."""
    prompts = tuple(step.prompt.id for step in chain.steps)
    steps = described(chain) if is_chain(job) else ()
    return Fingerprint.of(job, model=chain.name, prompt_ids=prompts, steps=steps, **stages.fingerprints)
