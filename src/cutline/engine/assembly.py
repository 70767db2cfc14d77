"""From a job to the parts that run it."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

from cutline.captioners.factory import check_prompt
from cutline.captioners.plugins import load_plugins
from cutline.captioners.pool import CaptionerPool
from cutline.captioners.spec import (
    LOCAL_OPTIONS,
    MODEL_OPTIONS,
    PICTURE_OPTIONS,
    SERVER_OPTIONS,
    CaptionerOptions,
)
from cutline.chain import Chain, ChainStep
from cutline.credentials import Secret
from cutline.engine.chain_builder import build_chain, is_chain, recipe_of, step_recipes
from cutline.engine.check_retries import retries_fingerprint
from cutline.engine.fingerprint import Fingerprint, retried_kinds
from cutline.engine.job_output import SIDECAR_NAMES, keeps_raw, output_of
from cutline.engine.journal import Journal
from cutline.engine.overlap import files_read, refuse_overlap, run_paths
from cutline.engine.prices import Prices, Spending
from cutline.engine.sample_rules import SampleRules
from cutline.engine.stage_runner import StageRunner
from cutline.errors import ConfigError
from cutline.interfaces import Captioner, Sink, Source
from cutline.job import Job
from cutline.prompts import Prompt, load_prompts, load_schema
from cutline.records import JSON, Sample
from cutline.sinks import format_of
from cutline.sources import SourceOptions, open_source
from cutline.sources.outputs import RunPaths
from cutline.sources.selection import HostShare


def prepare(job: Job) -> None:
    """Check a job and load its plug-ins, before anything is made of it; raises ConfigError."""
    job.check()
    load_plugins(job.model.plugin)


def paths_of(job: Job, failures: Path | None = None) -> RunPaths:
    """Where the job reads and writes; ``failures`` replaces the list of what failed."""
    numbered = job.output.rows_per_file is not None
    return run_paths(job.input_path, output_of(job), job.run.state, failures, numbered=numbered)


def checked_paths(job: Job, failures: Path | None = None) -> RunPaths:
    """As ``paths_of``; raises ConfigError where the job would write over what it reads."""
    form = format_of(output_of(job), job.output.output_format)
    paths = paths_of(job, failures)
    refuse_overlap(paths, form, files_read(job))
    return paths


def source_of(job: Job, paths: RunPaths | None = None) -> Source:
    """The job's source, or its part of it; raises ConfigError for an input that cannot be read."""
    source = open_source(job.input_path, source_options(job, paths))
    share = job.input.share()
    return source if share is None else HostShare(source, number=share[0], count=share[1])


def source_options(job: Job, paths: RunPaths | None = None) -> SourceOptions:
    """The job's options of its input; what it writes, ``paths`` if they are known, is left out of it."""
    names = {field.name for field in dataclasses.fields(SourceOptions)} - {"outputs", "writes_texts"}
    given = {name: getattr(job.input, name) for name in names}
    writes_texts = job.output.output_format in SIDECAR_NAMES
    return SourceOptions(**given, writes_texts=writes_texts, outputs=paths or paths_of(job))


def limit_of(job: Job) -> int | None:
    """The maximum number of samples: the user's limit, or what the shards can hold."""
    limits = [job.input.image_limit] if job.input.image_limit > 0 else []
    if job.output.max_shards is not None:
        limits.append(job.output.max_shards * job.output.samples_per_shard)
    return min(limits, default=None)


def samples_of(source: Source, limit: int | None) -> Iterator[Sample]:
    samples = source.samples()
    return itertools.islice(samples, limit) if limit is not None else samples


def chain_of(
    job: Job, key: Secret | None, captioner: Captioner | None = None, *, pool: CaptionerPool | None = None
) -> Chain:
    """The job's captioner, or ``captioner``, with a step for each prompt; or the job's own chain.

    Raises:
        ConfigError: the model's name or key is wrong or missing, or a prompt cannot be used.
    """
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
    truncated, recipe = job.model.truncated, recipe_of(job, captioner)
    return Chain(
        [
            ChainStep(
                name=prompt.name, captioner=captioner, prompt=prompt, truncated=truncated, recipe=recipe
            )
            for prompt in prompts
        ]
    )


def captioner_of(job: Job, key: Secret | None, *, pool: CaptionerPool | None = None) -> Captioner:
    """The job's captioner; raises as ``chain_of``."""
    check_pixels_prompts(job)
    return (pool or CaptionerPool()).get(job.model.model, captioner_options(job, key))


def captioner_options(job: Job, key: Secret | None) -> CaptionerOptions:
    """What the job's captioner is built with."""
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
    """The job's prompts, or ``default``, with its options; raises ConfigError for an unusable one."""
    options = job.prompts
    changes: JSON = {} if options.system_prompt is None else {"system": options.system_prompt}
    if options.schema:
        changes["schema"] = load_schema(options.schema)
    prompts = load_prompts(options.prompt) or (default or Prompt(),)
    if changes:
        prompts = tuple(dataclasses.replace(prompt, **changes, id="") for prompt in prompts)
    return (
        tuple(prompt.with_language(options.language) for prompt in prompts) if options.language else prompts
    )


def check_pixels_prompts(job: Job) -> None:
    """Raise ConfigError for prompt options that pixels would ignore."""
    prompts = job.prompts
    if job.model.model.partition(":")[0] != "pixels":
        return
    if prompts.language:
        raise ConfigError("pixels writes English only; remove --language, or choose another --model")
    if prompts.system_prompt:
        raise ConfigError("pixels does not follow instructions; remove --system-prompt")


def stages_of(job: Job) -> StageRunner:
    """The job's filters and checks.

    Raises:
        MissingExtra: a stage needs an extra that is not installed.
        ConfigError: there is no such stage, or its options cannot be used.
    """
    specs, device = job.checks.specs(), job.local.device
    filters, checks = ([spec.build(device=device) for spec in specs[room]] for room in ("filters", "checks"))
    return StageRunner(filters, checks)


def prices_for(job: Job, chain: Chain) -> Prices:
    """The prices of the job's models; raises ConfigError where a money budget lacks one."""
    prices = Prices(chain.models.values(), job.run.prices)
    if job.run.max_cost is not None:
        check_prices(prices)
    return prices


def check_prices(prices: Prices, spent: Spending | None = None) -> None:
    """Raise ConfigError where a model, of this run or an earlier one, has no price."""
    if missing := prices.without(spent):
        raise ConfigError(f"--max-cost needs a price for {' and '.join(missing)}: give it with --prices FILE")


def fingerprint_of(job: Job, chain: Chain, stages: StageRunner) -> Fingerprint:
    """The fingerprint of all that decides the job's outcomes."""
    prompts = tuple(step.prompt.id for step in chain.steps)
    steps = step_recipes(chain) if is_chain(job) else ()
    rules = stages.fingerprints
    checks = (*rules["checks"], *retries_fingerprint(job, stages))
    return Fingerprint.of(
        job, model=chain.name, prompt_ids=prompts, steps=steps, filters=rules["filters"], checks=checks
    )


def begin_journal(
    journal: Journal, job: Job, fingerprint: Fingerprint, chain: Chain, stages: StageRunner
) -> None:
    """Begin a run of the job in a journal; raises as ``Journal.begin``."""
    journal.begin(
        fingerprint,
        on_change=job.run.on_change,
        retry_failed=job.run.retry_failed,
        models=chain.models,
        retried=retried_kinds(job),
        stages=stages.ids,
        source=source_options(job).recorded(),
    )


def rules_of_run(job: Job, sink: Sink) -> SampleRules:
    """What a run does to every sample, for its sink."""
    keep_raw = keeps_raw(job, output_of(job))
    return rules_of(job, keep_data=sink.needs_picture, keep_raw=keep_raw)


def rules_of(job: Job, *, keep_data: bool = False, keep_raw: bool = False) -> SampleRules:
    """What the job does to every sample."""
    prompts = job.prompts
    return SampleRules(
        existing=job.output.existing,
        trigger=prompts.trigger or "",
        prefix=prompts.caption_prefix or "",
        suffix=prompts.caption_suffix or "",
        one_line=job.output.one_line,
        max_pixels=job.pictures.max_pixels,
        allow_private_urls=job.input.allow_private_urls,
        user_agent=job.input.user_agent,
        keep_data=keep_data,
        keep_raw=keep_raw,
        recheck=job.run.recheck,
    )
