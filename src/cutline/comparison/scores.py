"""Thumbnails of the compared pictures, and the metrics of each candidate's captions."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Mapping, Sequence

from cutline.comparison.results import ComparedPicture
from cutline.engine.recorded_captions import Answer, Answers
from cutline.errors import PictureError
from cutline.formatting import stored_key
from cutline.imaging import Picture
from cutline.imaging.thumbnails import thumbnail
from cutline.interfaces import Metric
from cutline.locations.loader import PictureLoader
from cutline.processors import usable_processors
from cutline.records import Sample
from cutline.serialization import valid_unicode

_MAX_WORKERS = 16


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ScoredPicture:
    """A picture, and each candidate's metrics on it.

    ``digest`` is that of its bytes; of a picture that cannot be read, the first one that a run recorded.
    """

    picture: ComparedPicture
    digest: str
    scores: Sequence[Mapping[str, float]]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PictureScorer:
    """Opens a few pictures at a time; ``side`` is that of the thumbnails."""

    side: int
    max_pixels: int
    loader: PictureLoader
    metrics: Sequence[Metric]

    async def score(
        self, samples: Sequence[Sample], answers: Sequence[Answers], *, stopped: Callable[[], bool]
    ) -> list[ScoredPicture]:
        """Every sample with the scores of the candidates' answers; fewer once ``stopped`` returns True.

        Closes the loader and the metrics.
        """
        scored: dict[int, ScoredPicture] = {}
        pending = iter(enumerate(samples))

        async def work() -> None:
            for position, sample in pending:
                if stopped():
                    return
                scored[position] = await self._score_one(sample, answers)

        workers = [asyncio.create_task(work()) for _ in range(min(_MAX_WORKERS, usable_processors() + 1))]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await self.loader.aclose()
            for metric in self.metrics:
                await metric.aclose()
        return [scored[position] for position in sorted(scored)]

    async def _score_one(self, sample: Sample, answers: Sequence[Answers]) -> ScoredPicture:
        key = stored_key(valid_unicode(sample.key))
        found = [one.by_key.get(key) for one in answers]
        digest = next((one.digest for one in found if one is not None and one.digest), "")
        try:
            picture = Picture(await self.loader.locate(sample), max_pixels=self.max_pixels)
            small = await asyncio.to_thread(thumbnail, picture, self.side)
            digest = picture.digest or digest
            about = [None if one is None else one.about(digest) for one in found]
            scores = await self._scores(picture, about)
        except PictureError as error:
            failed = ComparedPicture(key=key, problem=str(error))
            return ScoredPicture(picture=failed, digest=digest, scores=[{} for _ in answers])
        shown = ComparedPicture(key=key, thumbnail=small)
        return ScoredPicture(picture=shown, digest=digest, scores=scores)

    async def _scores(
        self, picture: Picture, found: Sequence[Answer | None]
    ) -> Sequence[Mapping[str, float]]:
        texts = {place: one.text for place, one in enumerate(found) if one is not None and not one.problem}
        scores: list[dict[str, float]] = [{} for _ in found]
        for metric in self.metrics:
            values = await metric.score(picture, list(texts.values()))
            for place, value in zip(texts, values, strict=True):
                if value is not None:
                    scores[place][metric.name] = value
        return scores
