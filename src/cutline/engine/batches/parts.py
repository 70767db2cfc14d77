"""The endpoint and the client for a job's batches; checks whether it can be a batch."""

from __future__ import annotations

from cutline.captioners.factory import build_bare_endpoint
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.captioners.plugins import load_plugins
from cutline.credentials import Secret
from cutline.engine import assembly
from cutline.engine.batches.client import BatchService
from cutline.engine.batches.gemini import OPENAI_FACE, GeminiService
from cutline.engine.chain_builder import is_chain
from cutline.engine.check_retries import refuse_retries
from cutline.engine.executor import LOCAL
from cutline.engine.progress import Progress, ProgressHook
from cutline.errors import ConfigError
from cutline.job import Job
from cutline.options import RunOptions


def endpoint_of(job: Job, key: Secret | None) -> OpenAIChat:
    """The endpoint for the job's batches; raises ConfigError where the job cannot be a batch."""
    if is_chain(job):
        raise ConfigError(
            "a batch processes each request on its own, so a chain cannot be one: "
            "give several prompts with --prompt NAME=TEXT, or run the chain with `cutline caption`"
        )
    job.model.check_stored("the record of a batch")
    load_plugins(job.model.plugin)
    endpoint = build_bare_endpoint(job.model.model, assembly.captioner_options(job, key))
    if not isinstance(endpoint, OpenAIChat):
        name = endpoint.name if endpoint is not None else job.model.model
        raise ConfigError(
            f"{name} has no batch API; choose a model of a service that has one, "
            "such as --model openai:gpt-4o-mini"
        )
    return endpoint


def service_of(job: Job, key: Secret | None, progress: ProgressHook) -> BatchService:
    """The client for the batch API that processes the job; raises as ``endpoint_of``."""
    endpoint = endpoint_of(job, key)
    service = GeminiService if endpoint.endpoint.url.endswith(OPENAI_FACE) else BatchService
    return service(
        endpoint=endpoint,
        retries=job.run.max_retries,
        delay=job.run.retry_delay,
        say=lambda line: progress(Progress(waiting_for=line)),
    )


def check_job(job: Job, key: Secret | None) -> None:
    """Raise ConfigError for a job that cannot be a batch, or an option without effect on one."""
    job.check()
    endpoint_of(job, key)
    refuse_retries(assembly.stages_of(job))
    if job.run.recheck:
        raise ConfigError(
            "a batch does not support --recheck; remove it, and check with `cutline caption --recheck`"
        )
    usual = RunOptions()
    idle = {
        "--max-concurrent-requests": job.run.max_concurrent_requests is not None,
        "--no-enable-async": not job.run.enable_async,
        "--stop-after-failures": job.run.stop_after_failures != usual.stop_after_failures,
        f"--engine {job.cluster.engine}": job.cluster.engine != LOCAL,
    }
    names = [name for name, given in idle.items() if given]
    if names:
        raise ConfigError(
            f"{' and '.join(names)} have no effect on a batch, whose pace the service sets; remove them"
        )
