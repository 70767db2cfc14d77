"""The durable queue of this process: its store, its worker, its webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from cutline.errors import ConfigError
from cutline.service.captioning_service import CaptioningService
from cutline.service.pictures import Pictures
from cutline.service.queue.leases import Leases
from cutline.service.queue.schema import Database
from cutline.service.queue.store import NewJob, Store
from cutline.service.queue.webhooks import Webhooks, check_address
from cutline.service.queue.worker import Worker
from cutline.service.settings import Settings

_log = logging.getLogger(__name__)
_DAY: Final = 86_400
_STATUS_SECONDS: Final = 2.0


class Queue:
    """The queue's interface for routes and the application."""

    def __init__(self, settings: Settings, service: CaptioningService, pictures: Pictures) -> None:
        """Raises ConfigError for a store or a secret that cannot be used."""
        self._settings = settings
        self._database = Database(settings.store)
        self.store = Store(self._database, max_waiting=settings.max_queued)
        leases = Leases(self._database, seconds=settings.lease_seconds)
        self._worker = Worker(self.store, leases, service, pictures, keep_seconds=settings.keep_days * _DAY)
        self._webhooks: Webhooks | None = None
        if keys := settings.webhook_keys:
            self._webhooks = Webhooks(self._database, keys, allow_private=settings.allow_private_webhooks)
        self._sending: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()
        self.is_up = False
        self.waiting = math.nan

    async def update_status(self) -> None:
        """Set ``waiting`` to the pictures in the queue, and ``is_up`` to whether the database responds."""
        try:
            async with asyncio.timeout(_STATUS_SECONDS):
                self.waiting = await self.store.waiting()
        except (SQLAlchemyError, TimeoutError):
            self.is_up, self.waiting = False, math.nan
        else:
            self.is_up = True

    async def open(self) -> None:
        """Start to work, first on what an earlier process left; raises ConfigError for the store."""
        await asyncio.to_thread(self._database.prepare)
        _log.info("queue store=%s", self._database.place)
        self._worker.start()
        if self._webhooks is not None:
            self._sending = asyncio.create_task(self._webhooks.run())

    async def submit(self, new: NewJob) -> str:
        """As ``Store.submit``, and wake the worker."""
        job = await self.store.submit(new)
        self._worker.wake()
        return job

    async def cancel(self, job: str) -> bool:
        """As ``Store.cancel``; what this process works on stops at once."""
        was_cancelled = await self.store.cancel(job)
        self._worker.drop(job)
        if was_cancelled and (ended := await self.store.job(job)) is not None:
            ended.log_end()
        return was_cancelled

    def check_webhook(self, url: str) -> None:
        """Raises ConfigError if nothing may be sent to the address, or the service has no webhooks."""
        if self._webhooks is None:
            raise ConfigError("webhook_url is not available: the service has no secret for webhooks")
        check_address(url, allow_private=self._settings.allow_private_webhooks)

    def stop(self) -> None:
        """Claim no more, and end the streams that wait for results."""
        self.stopping.set()
        self._worker.stop()

    async def aclose(self) -> None:
        """Finish or release what is being worked on."""
        self.stop()
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        await self._worker.aclose()
        await asyncio.to_thread(self._database.close)
