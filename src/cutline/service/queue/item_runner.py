"""From a queued picture to its outcome."""

from __future__ import annotations

import asyncio
from typing import Final

from cutline.errors import ConfigError
from cutline.records import Failure, Outcome, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.errors import with_field_names
from cutline.service.pictures import Pictures
from cutline.service.queue.leases import Item, Leases
from cutline.service.queue.store import Store
from cutline.service.telemetry.tracing import Attributes, SpanKind

MAX_DEATHS: Final = 20  # of workers that held a picture; most did not die of it


class ItemRunner:
    """Loads a picture from where its job found it, and has it captioned."""

    def __init__(self, store: Store, leases: Leases, service: CaptioningService, pictures: Pictures) -> None:
        self._store, self._leases, self._service, self._pictures = store, leases, service, pictures

    async def outcome(self, item: Item) -> Outcome:
        """The picture's outcome, traced as part of the request that submitted its job."""
        tracing = self._service.tracing
        parent = await self._store.trace(item.job) if tracing.is_on else {}
        attributes: Attributes = {"cutline.job": item.job, "cutline.attempts": item.attempts}
        with tracing.span("job", SpanKind.CONSUMER, attributes, parent=parent):
            return await self._run(item)

    async def _run(self, item: Item) -> Outcome:
        if item.attempts > MAX_DEATHS:
            message = f"{item.attempts - 1} workers died while they held it"
            return Failure(key=item.name, kind="captioner", message=message)
        try:
            # Stored as JSON in all versions: what an older service queued runs here too.
            options = CaptionOptions.model_validate_json(item.options)
            return await self._service.caption(await self._sample(item), options)
        except (ConfigError, ValueError) as error:  # the service was restarted with another model
            message = f"the options are not supported any more: {with_field_names(str(error))}"
            return Failure(key=item.name, kind="wish", message=message)

    async def _sample(self, item: Item) -> Sample:
        if item.kind == "path":
            return await asyncio.to_thread(self._pictures.by_path, item.name)
        if item.kind == "url":
            return self._pictures.by_url(item.name)
        data = await self._leases.upload(item)
        if data is None:  # cancelled, or finished by another worker: this outcome is not written
            return Sample(key=item.name, location=None)
        return self._pictures.by_bytes(data, item.name)
