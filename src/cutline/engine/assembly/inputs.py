"""The job's input: its source, and how much of it is taken."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from cutline.interfaces import Source
from cutline.job import Job
from cutline.records import Sample
from cutline.sources import SourceOptions, open_source


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
