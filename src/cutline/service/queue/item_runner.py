"""One picture of the queue to its outcome, as its job wished."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import HTTPException

from cutline.errors import ConfigError
from cutline.records import Failure, Outcome, Sample
from cutline.service.caption_options import CaptionOptions
from cutline.service.captioning_service import CaptioningService
from cutline.service.pictures import Pictures
from cutline.service.queue.leases import Item, Leases
from cutline.service.queue.store import Store
from cutline.service.request_errors import without_options

MAX_DEATHS: Final = 20  # of workers that held a picture; most will not have died of it


class ItemRunner:
    """Fetches a picture from where its job said it is, and asks the desk about it."""

    def __init__(self, store: Store, leases: Leases, desk: CaptioningService, pictures: Pictures) -> None:
        self._store, self._leases, self._desk, self._pictures = store, leases, desk, pictures

    async def outcome(self, item: Item) -> Outcome:
        """Its outcome, as a part of the trace that its job came with."""
        tracing = self._desk.tracing
        parent = await self._store.trace(item.job) if tracing.is_on else {}
        with tracing.span("job", "consumer", parent=parent) as span:
            span.note({"cutline.job": item.job, "cutline.attempts": item.attempts})
            return await self._asked(item)

    async def _asked(self, item: Item) -> Outcome:
        if item.attempts > MAX_DEATHS:
            message = f"{item.attempts - 1} workers died while they had it"
            return Failure(key=item.name, kind="captioner", message=message)
        try:
            wish = CaptionOptions.model_validate_json(item.wish)
            return await self._desk.caption(await self._sample(item), wish)
        except HTTPException as error:  # a folder that was open when the job came is so no more
            return Failure(key=item.name, kind="blocked-path", message=str(error.detail))
        except (ConfigError, ValueError) as error:  # the service was started anew with another model
            message = f"the wish cannot be fulfilled any more: {without_options(str(error))}"
            return Failure(key=item.name, kind="wish", message=message)

    async def _sample(self, item: Item) -> Sample:
        if item.kind == "path":
            return await asyncio.to_thread(self._pictures.by_path, item.name)
        if item.kind == "url":
            return self._pictures.by_url(item.name)
        data = await self._leases.upload(item)
        if data is None:  # cancelled, or another has finished it: what is written here counts for nothing
            return Sample(key=item.name, location=None)
        return self._pictures.by_bytes(data, item.name)
