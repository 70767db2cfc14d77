"""From a job to the parts that run it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

from cutline.captioners.building import (
    LOCAL_OPTIONS,
    MODEL_OPTIONS,
    PICTURE_OPTIONS,
    SERVER_OPTIONS,
    Asking,
    build_captioner,
    check_prompt,
)
from cutline.captioners.plugins import load_plugins
from cutline.captioners.secrets import Secret
from cutline.chain import Chain, ChainStep
from cutline.encoders import DEFAULT_CLIP
from cutline.engine.budget import RunLimits
from cutline.engine.captioning import Fetching, Rules
from cutline.engine.chaining import build_chain, described, is_chain
from cutline.engine.fingerprint import Fingerprint
from cutline.engine.journal import Journal
from cutline.engine.pricing import Prices, Spending
from cutline.errors import ConfigError
from cutline.interfaces import Captioner, Check, Sink, Source
from cutline.job import Job
from cutline.prompts import Policy, Prompt, finish_caption, load_prompts, load_schema
from cutline.records import JSON, Caption, Failure, Outcome, Sample, Skip
from cutline.sinks import SinkOptions, format_of, open_sink
from cutline.sources import SourceOptions, open_source

DEFAULT_OUTPUTS = {
    "webdataset": "shards",
    "json": "captions.json",
    "csv": "captions.csv",
    "tsv": "captions.tsv",
    "parquet": "captions.parquet",
    "scienceqa": "captions.json",
}
_ONE_TEXT = {"sidecar", "scienceqa"}  # formats without a place for each prompt's answer


def output_of(job: Job) -> str:
    """Where the job's output goes: what it says, or a default in the working folder."""
    if job.output_path is not None:
        return job.output_path
    if job.output.output_format == "sidecar":
        return job.input_path
    return DEFAULT_OUTPUTS.get(job.output.output_format or "", "captions.jsonl")


def source_of(job: Job) -> Source:
    """The job's source.

    Raises:
        ConfigError: the input does not exist or nothing tells what it is.
    """
    options = job.input
    names = [field.name for field in dataclasses.fields(SourceOptions)]
    return open_source(job.input_path, SourceOptions(**{name: getattr(options, name) for name in names}))


def limit_of(job: Job) -> int | None:
    """The most samples that are taken: the user's limit, or what the shards can hold."""
    limits = [job.input.image_limit] if job.input.image_limit > 0 else []
    if job.output.max_shards is not None:
        limits.append(job.output.max_shards * job.output.samples_per_shard)
    return min(limits, default=None)


def samples_of(source: Source, limit: int | None) -> Iterator[Sample]:
    samples = source.samples()
    return itertools.islice(samples, limit) if limit is not None else samples


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
            prompt = dataclasses.replace(prompt, **changes, id="")  # type: ignore[arg-type]  # noqa: PLW2901
        prompts.append(prompt.with_language(options.language) if options.language else prompt)
    return tuple(prompts)


def chain_of(job: Job, key: Secret | None, captioner: Captioner | None = None) -> Chain:
    """The job's captioner, or ``captioner``, asked each prompt; or its chain, whose steps have their own.

    Raises:
        ConfigError: the model's name or key is wrong or missing, or a prompt cannot be used.
    """
    load_plugins(job.model.plugin)
    if is_chain(job):
        return build_chain(job, key, captioner_of, lambda own, default: prompts_of(own, default)[0])
    captioner = captioner or captioner_of(job, key)
    prompts = prompts_of(job, getattr(captioner, "default_prompt", None))
    for prompt in prompts:
        check_prompt(captioner, prompt, language=job.prompts.language)
    return Chain([ChainStep(name=prompt.name, captioner=captioner, prompt=prompt) for prompt in prompts])


def captioner_of(job: Job, key: Secret | None) -> Captioner:
    """Who the job asks; raises as ``chain_of``."""
    load_plugins(job.model.plugin)
    check_words(job)
    return build_captioner(job.model.model, asking_of(job, key))


def asking_of(job: Job, key: Secret | None) -> Asking:
    """How the job's captioner is asked."""
    run = job.run
    return Asking(
        key=key,
        endpoint=job.model.endpoint,
        options=given_options(job),
        timeout=run.timeout,
        retries=run.max_retries,
        retry_delay=run.retry_delay,
        concurrency=run.max_concurrent_requests if run.enable_async else 1,
    )


def checks_of(job: Job) -> list[Check]:
    """What the job's captions are held against.

    Raises:
        MissingExtra: a check needs one.
        ConfigError: it cannot be done as asked.
    """
    options = job.checks
    if options.min_similarity is None:
        return []
    from cutline.checks.similarity import Similarity

    model = options.similarity_model or DEFAULT_CLIP
    return [Similarity(least=options.min_similarity, model=model, device=job.local.device)]


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


def sink_of(job: Job, output: str, state: Path) -> Sink:
    """The job's sink; nothing is touched before its ``open``.

    Raises:
        ConfigError: the format is unknown, or cannot hold what the job asks for.
    """
    form = format_of(output, job.output.output_format)
    if len(job.prompts.prompt) > 1 and form in _ONE_TEXT:
        raise ConfigError(
            f"{form} holds one text a picture: give one --prompt, or write a table or shards instead"
        )
    options = SinkOptions(
        overwrite=job.output.existing == "overwrite",
        existing=job.output.existing,
        samples_per_shard=job.output.samples_per_shard,
        include_raw=job.output.include_raw,
        include_checks=job.checks.min_similarity is not None,
    )
    return open_sink(output, job.output.output_format, state, options)


def keeps_raw(job: Job, output: str) -> bool:
    return job.output.include_raw or format_of(output, job.output.output_format) == "parquet"


def form_of(job: Job, output: str) -> JSON:
    """What decides how outcomes are written: an output begun in another form is written anew."""
    options = job.output
    form: JSON = {"format": format_of(output, options.output_format), "raw": options.include_raw}
    form["existing"] = options.existing  # what was skipped under one policy is looked at anew under another
    if job.checks.min_similarity is not None:
        form["checks"] = True
    if form["format"] == "webdataset":
        form["samples_per_shard"] = options.samples_per_shard
    return form


def rules_of(job: Job, sink: Sink | None, journal: Journal | None, *, keep_raw: bool) -> Rules:
    """What is done to each of the job's samples."""
    return Rules(
        policy=policy_of(job, sink, journal),
        finish_text=finisher_of(job),
        max_pixels=job.pictures.max_pixels,
        keep_data=sink is not None and sink.needs_picture,
        keep_raw=keep_raw,
    )


def limits_of_run(job: Job, prices: Prices) -> RunLimits:
    """What may end the job's run early."""
    run = job.run
    return RunLimits(
        budget_tokens=run.budget_tokens,
        max_cost=run.max_cost,
        prices=prices,
        stop_after_failures=run.stop_after_failures,
    )


def fetcher_opener(job: Job) -> Callable[[], Fetching]:
    """Opens what downloads remote pictures, when the first one comes."""

    def open_fetcher() -> Fetching:
        from cutline.sources.fetch import Fetcher

        return Fetcher(allow_private=job.input.allow_private_urls)

    return open_fetcher


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


def fingerprint_of(job: Job, chain: Chain) -> Fingerprint:
    prompts = tuple(step.prompt.id for step in chain.steps)
    steps = described(chain) if is_chain(job) else ()
    return Fingerprint.of(job, model=chain.name, prompt_ids=prompts, steps=steps)


def finisher_of(job: Job) -> Callable[[str, str | None], str]:
    """The last touches on every caption: trigger word, prefix, suffix, and the text there was."""
    options, existing = job.prompts, job.output.existing
    policy: Policy = "overwrite" if existing is None or existing == "skip" else existing

    def finish(text: str, before: str | None) -> str:
        return finish_caption(
            text,
            trigger=options.trigger or "",
            prefix=options.caption_prefix or "",
            suffix=options.caption_suffix or "",
            existing=before,
            policy=policy,
        )

    return finish


def policy_of(
    job: Job, sink: Sink | None, journal: Journal | None
) -> Callable[[Sample], Outcome | str | None]:
    """What is known of a sample before it is asked: an outcome, or the text it already has."""
    policy = job.output.existing
    beside = getattr(sink, "existing_text", None)

    def decide(sample: Sample) -> Outcome | str | None:
        if sample.problem is not None:
            problem = sample.problem
            if problem.skip:
                return Skip(key=sample.key, reason=problem.kind)
            return Failure(key=sample.key, kind=problem.kind, message=problem.message, stamp=sample.stamp)
        ours = journal.earlier(sample.key) if journal is not None else None
        if isinstance(ours, Caption):  # what is there now is our own earlier caption
            return ours.existing or ""
        text = beside(sample) if beside is not None else sample.text
        if text and (policy == "skip" or (policy is None and beside is not None)):
            return Skip(key=sample.key, reason="captioned already")
        return text or None

    return decide
