"""Measures the pictures of an input, a few at a time, and keeps the values."""

from __future__ import annotations

import array
import asyncio
import hashlib
import math
import time
from typing import Final

from PIL import Image

from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.measure_store import MeasureStore, PictureMeasures, measure_id
from cutline.engine.plan import sample_count
from cutline.engine.prefetch import Prefetch
from cutline.engine.progress import Progress, ProgressHook, Rate
from cutline.errors import ConfigError, CutlineError, SampleError
from cutline.filters.selection import (
    PictureRules,
)
from cutline.formatting import duration, one_line, without_signatures
from cutline.imaging import Picture
from cutline.imaging.decoded import DecodedPicture
from cutline.interfaces import Measure, Source
from cutline.job import Job
from cutline.locations.fetched import FetchedPictures
from cutline.locations.loader import PictureLoader
from cutline.locations.stored import InlineBytes
from cutline.measures.catalog import is_built_in
from cutline.measures.hashes import hashes_of
from cutline.measures.pages import page_of
from cutline.processors import usable_processors
from cutline.records import Sample
from cutline.worker_threads import in_thread

UNREAD: Final = -1  # in place of a row, or of the place of one
_DOWNLOADS: Final = 32  # pictures that are fetched at once
_REPORT_EVERY: Final = 0.1  # seconds
_NO_PIXELS: Final = Image.new("RGB", (1, 1))


class Measurement:
    """One pass over an input: a few pictures at a time, in threads. Downloads go to ``fetched`` too."""

    def __init__(
        self,
        job: Job,
        rules: PictureRules,
        store: MeasureStore,
        progress: ProgressHook,
        stop: Stop,
        fetched: FetchedPictures | None = None,
    ) -> None:
        self._job = job
        self._rules = rules
        self._store = store
        self._progress = progress
        self._stop = stop
        self._fetched = fetched
        self._loader = PictureLoader(
            allow_private=job.input.allow_private_urls, user_agent=job.input.user_agent
        )
        self._decoders = asyncio.Semaphore(usable_processors())
        self._total: int | None = None
        self._fresh = self._done = 0
        self._rate = Rate()
        self._reported = 0.0
        self.order: array.array[int] = array.array("q")

    async def run(self, source: Source) -> None:
        limit = assembly.limit_of(self._job)
        batch = max(1, self._job.input.reader_batch_size)
        feed = Prefetch(assembly.samples_of(source, limit), batch=batch)
        self._total = await in_thread(sample_count, source, limit)
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(feed))
                workers = [group.create_task(self._work(feed)) for _ in range(_DOWNLOADS)]
                await asyncio.gather(*workers)
                watch.cancel()
        except* CutlineError as errors:
            raise errors.exceptions[0] from None
        finally:
            feed.close()
            await self._loader.aclose()

    async def _watch(self, feed: Prefetch) -> None:
        await self._stop.wait()
        feed.stop()

    async def _work(self, feed: Prefetch) -> None:
        while (item := await feed.next()) is not None and not self._stop.requested:
            while len(self.order) <= item.index:
                self.order.append(UNREAD)
            self.order[item.index] = await self._measure(item.sample)
            self._done += 1
            self._report()

    async def _measure(self, sample: Sample) -> int:
        if sample.location is None:
            return UNREAD
        row, missing = self._store.known(sample.key, sample.content_id, decoded=self._rules.needs_pixels)
        if row is not None and not missing:
            return row
        self._fresh += 1
        try:
            location = await self._loader.locate(sample)
            url = sample.location.url()
            if self._fetched is not None and url is not None and isinstance(location, InlineBytes):
                self._fetched.put(url, location)
            picture = Picture(location, max_pixels=self._job.pictures.max_pixels)
            async with self._decoders:
                found = await in_thread(self._taken, sample, picture, missing)
        except (SampleError, MemoryError) as error:
            kind = error.kind if isinstance(error, SampleError) else "out-of-memory"
            message = without_signatures(one_line(error)) or "the picture needs more memory than there is"
            found = PictureMeasures(key=sample.key, content=sample.content_id, error=(kind, message))
        return self._store.append(found)

    def _taken(self, sample: Sample, picture: Picture, names: frozenset[str]) -> PictureMeasures:
        """The measures of those names; of a picture whose pixels are needed also its hashes."""
        digest = hashlib.blake2b(picture.data, digest_size=16).hexdigest()
        if self._rules.needs_pixels:
            decoded = DecodedPicture.of(picture)
        else:
            info = picture.info()
            decoded = DecodedPicture(_NO_PIXELS, width=info.width, height=info.height)
        values = {}
        for measure in self._rules.measures:
            if measure.name not in names:
                continue
            own = decoded if is_built_in(measure) else decoded.copy()
            values[measure_id(measure)] = _value(measure, own, sample.key)
        hashes = hashes_of(decoded) if self._rules.needs_pixels else None
        return PictureMeasures(
            key=sample.key,
            content=sample.content_id,
            digest=digest,
            values=values,
            hashes=hashes,
            page=page_of(decoded) if hashes is not None else None,
            is_hashed=self._rules.needs_pixels,
        )

    def _report(self) -> None:
        now = time.monotonic()
        if not self._fresh or now - self._reported < _REPORT_EVERY:
            return
        self._reported = now
        rate, of = self._rate.update(self._fresh), f"/{self._total:,}" if self._total else ""
        left, speed = "", f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.1f}/s"
        if self._total and rate:
            left = f", {duration((self._total - self._done) / rate)} left"
        self._progress(Progress(waiting_for=f"measuring pictures: {self._done:,}{of}, {speed}{left}"))


def _value(measure: Measure, picture: DecodedPicture, key: str) -> float | None:
    """The measure's number; ConfigError if its code breaks, as no rule could decide about the picture."""
    try:
        value = measure.measure(picture)
        return float(f"{float(value):.7g}") if value is not None and math.isfinite(value) else None
    except (CutlineError, MemoryError):
        raise
    except (Exception, SystemExit) as error:  # sys.exit() of a plug-in
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigError(
            f"the measure {measure.name!r} broke at {key}: {reason}; correct it, "
            "or return None for a picture without a value"
        ) from error
