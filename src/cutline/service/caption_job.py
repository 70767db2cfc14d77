"""The service's settings, and the options of a request, as the job that a command line would run."""

from __future__ import annotations

import dataclasses
from typing import Any

import orjson

from cutline.captioners.servers.settings import ServerOptions
from cutline.job import Job
from cutline.options import (
    CheckOptions,
    InputOptions,
    LocalOptions,
    ModelOptions,
    PictureOptions,
    RunOptions,
)
from cutline.prompts import library_prompts
from cutline.service.caption_options import CaptionOptions
from cutline.service.settings import Settings


def job_from(settings: Settings) -> Job:
    """The settings that concern captions, as the job that a command line would run."""
    local: dict[str, Any] = {"device": settings.device, "dtype": settings.dtype}
    job = Job(
        input_path="",
        input=InputOptions(user_agent=settings.user_agent),
        model=ModelOptions(
            model=settings.model,
            endpoint=settings.endpoint,
            header=settings.header,
            query=settings.query,
            plugin=settings.plugin,
        ),
        local=LocalOptions(**local),
        server=ServerOptions(
            start=settings.start,
            server_args=settings.server_args,
            start_timeout=settings.start_timeout,
            pull=settings.pull,
        ),
        pictures=PictureOptions(max_pixels=settings.max_pixels),
        run=RunOptions(max_concurrent_requests=settings.max_concurrent_requests),
        checks=CheckOptions(
            min_similarity=settings.min_similarity,
            similarity_model=settings.similarity_model,
            check=settings.check,
            check_retries=settings.check_retries,
            retry_prompt=settings.retry_prompt,
            filter=settings.filter,
        ),
    )
    job.check()
    return job


def job_with(job: Job, options: CaptionOptions) -> Job:
    """The job with a request's options; raises ConfigError for those that cannot be combined."""
    changes: dict[str, Any] = {
        "system_prompt": options.system_prompt,
        "language": options.language,
        "schema": orjson.dumps(options.json_schema).decode() if options.json_schema is not None else None,
    }
    if options.prompt is not None:
        # Never a file's name: a client must not have our files read.
        is_safe = options.prompt in library_prompts() or options.prompt.startswith("text:")
        changes["prompt"] = (options.prompt if is_safe else f"text:{options.prompt}",)
    changed = dataclasses.replace(job, prompts=dataclasses.replace(job.prompts, **changes))
    changed.check()
    return changed
