"""One queued picture to its outcome."""

from __future__ import annotations

import asyncio
import contextlib

from cutline.errors import ConfigError
from cutline.records import Failure, Outcome, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import with_field_names
from cutline.service.pictures import Pictures
from cutline.service.queue.leases import MAX_DEATHS, Item, Leases, Place
from cutline.service.queue.store import Store
from cutline.service.telemetry.tracing import Attributes, SpanKind
from cutline.slots import LocalSlots


class ItemRunner:
    """Downloads a picture where that is a URL, waits for one of ``slots``, and captions it.

    ``downloading`` are the pictures that take no slot yet.
    """

    def __init__(
        self,
        store: Store,
        leases: Leases,
        service: CaptioningService,
        pictures: Pictures,
        slots: LocalSlots,
    ) -> None:
        self._store, self._leases, self._service = store, leases, service
        self._pictures, self._slots = pictures, slots
        self.downloading: set[Place] = set()

    async def outcome(self, item: Item) -> Outcome:
        """The picture's outcome, traced as part of the request that submitted its job."""
        tracing = self._service.tracing
        parent = await self._store.trace(item.job) if tracing.is_on else {}
        attributes: Attributes = {"cutline.job": item.job, "cutline.attempts": item.attempts}
        with tracing.span("job", SpanKind.CONSUMER, attributes, parent=parent):
            if item.attempts > MAX_DEATHS:
                message = f"{item.attempts - 1} workers died while they held it"
                return Failure(key=item.name, kind="captioner", message=message)
            try:
                # Stored as JSON in all versions: what an older service queued runs here too.
                options = CaptionOptions.model_validate_json(item.options)
                return await self._captioned(item, options)
            except (ConfigError, ValueError) as error:  # the service was restarted with another model
                message = f"the options are not supported any more: {with_field_names(str(error))}"
                return Failure(key=item.name, kind="wish", message=message)

    async def _captioned(self, item: Item, options: CaptionOptions) -> Outcome:
        """The outcome when a slot is free; a download waits for none, and keeps none from others."""
        async with contextlib.AsyncExitStack() as stack:
            sample: Sample | None = None
            if item.kind == "url":
                found = await self._service.downloaded(self._pictures.by_url(item.name), stack)
                self.downloading.discard(item.id)
                if isinstance(found, Failure):
                    return found
                sample = found
            async with self._slots.one():
                return await self._service.caption(sample or await self._sample(item), options)

    async def _sample(self, item: Item) -> Sample:
        if item.kind == "path":
            return await asyncio.to_thread(self._pictures.by_path, item.name)
        data = await self._leases.upload(item)
        if data is None:  # cancelled, or finished by another worker: this outcome is not written
            return Sample(key=item.name, location=None)
        return self._pictures.by_bytes(data, item.name)
