"""Thumbnails of the pictures of a contest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.imaging.thumbnails import Thumbnail, thumbnail
from cutline.job import Job
from cutline.locations.loader import PictureLoader
from cutline.processors import usable_processors
from cutline.records import Sample

_MAX_WORKERS = 16


async def load_thumbnails(
    samples: Mapping[str, Sample], side: int, job: Job, *, stopped: Callable[[], bool] = lambda: False
) -> dict[str, Thumbnail | str]:
    """A thumbnail of at most ``side`` pixels for each key, or the reason why there is none."""
    loader = PictureLoader(allow_private=job.input.allow_private_urls, user_agent=job.input.user_agent)
    found: dict[str, Thumbnail | str] = {}
    pending = iter(samples.items())

    async def work() -> None:
        for key, sample in pending:
            if stopped():
                return
            try:
                picture = Picture(await loader.locate(sample), max_pixels=job.pictures.max_pixels)
                found[key] = await asyncio.to_thread(thumbnail, picture, side)
            except PictureError as error:
                found[key] = str(error)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_MAX_WORKERS, usable_processors() + 1)):
                group.create_task(work())
    finally:
        await loader.aclose()
    return {key: found[key] for key in samples if key in found}
