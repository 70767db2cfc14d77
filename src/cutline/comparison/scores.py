"""Each picture looked at once more: for its thumbnail, and for what is measured on it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence

from cutline.comparison.captions import Answers
from cutline.comparison.results import Shown
from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.imaging.thumbnails import thumbnail
from cutline.interfaces import Metric
from cutline.locations.loader import PictureLoader
from cutline.records import Sample
from cutline.serialization import valid_unicode

_AT_ONCE = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A picture, and each contestant's metrics on it."""

    shown: Shown
    scores: Sequence[Mapping[str, float]]


class Seeing:
    """Opens pictures a few at a time; ``side`` is that of the thumbnails."""

    def __init__(
        self,
        *,
        side: int,
        max_pixels: int,
        loader: PictureLoader,
        metrics: Sequence[Metric],
    ) -> None:
        self._side = side
        self._max_pixels = max_pixels
        self._loader = loader
        self._metrics = metrics

    async def all(
        self, samples: Sequence[Sample], answers: Sequence[Answers], *, stopped: Callable[[], bool]
    ) -> list[Seen]:
        """Every sample, with what the contestants' answers to it score; fewer once ``stopped`` says so."""
        found: dict[int, Seen] = {}
        waiting = iter(enumerate(samples))

        async def work() -> None:
            for place, sample in waiting:
                if stopped():
                    return
                found[place] = await self._one(sample, answers)

        workers = [asyncio.create_task(work()) for _ in range(min(_AT_ONCE, (os.cpu_count() or 1) + 1))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
        return [found[place] for place in sorted(found)]

    async def _one(self, sample: Sample, answers: Sequence[Answers]) -> Seen:
        key = valid_unicode(sample.key)
        nothing: list[Mapping[str, float]] = [{} for _ in answers]
        try:
            picture = Picture(await self._loader.locate(sample), max_pixels=self._max_pixels)
            small = await asyncio.to_thread(thumbnail, picture, self._side)
            scores = await self._scores(picture, key, answers)
        except PictureError as error:
            return Seen(shown=Shown(key=key, problem=str(error)), scores=nothing)
        return Seen(shown=Shown(key=key, thumbnail=small), scores=scores)

    async def _scores(
        self, picture: Picture, key: str, answers: Sequence[Answers]
    ) -> Sequence[Mapping[str, float]]:
        given = [one.by_key.get(key) for one in answers]
        captioned = [place for place, one in enumerate(given) if one is not None and not one.problem]
        texts = [answer.text for answer in given if answer is not None and not answer.problem]
        found: list[dict[str, float]] = [{} for _ in answers]
        for metric in self._metrics:
            for place, score in zip(captioned, await metric.score(picture, texts), strict=True):
                if score is not None:
                    found[place][metric.name] = score
        return found

    async def aclose(self) -> None:
        await self._loader.aclose()
        for metric in self._metrics:
            await metric.aclose()
