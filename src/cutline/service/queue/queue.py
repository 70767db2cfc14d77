"""The durable queue of this process: its store, its worker, its webhooks."""

from __future__ import annotations

import asyncio
import contextlib
import math

from sqlalchemy.exc import SQLAlchemyError

from cutline.errors import ConfigError
from cutline.service.captioning_service import CaptioningService
from cutline.service.pictures import Pictures
from cutline.service.queue.leases import Leases
from cutline.service.queue.schema import Database
from cutline.service.queue.store import Order, Store
from cutline.service.queue.webhooks import Webhooks, check_address
from cutline.service.queue.worker import Worker
from cutline.service.settings import Settings
from cutline.service.telemetry.outcome_log import note_ends

_DAY = 86_400
_LOOK_SECONDS = 2.0


class Queue:
    """Everything that requests and the application want of the queue."""

    def __init__(self, settings: Settings, desk: CaptioningService, pictures: Pictures) -> None:
        """Raises ConfigError for a store or a secret that cannot be used."""
        self._settings = settings
        self._database = Database(settings.store)
        self.store = Store(self._database, most_waiting=settings.max_queued)
        leases = Leases(self._database, seconds=settings.lease_seconds)
        self._worker = Worker(self.store, leases, desk, pictures, keep_seconds=settings.keep_days * _DAY)
        secret = settings.webhook_secret
        self._webhooks: Webhooks | None = None
        if secret is not None:
            private = settings.allow_private_webhooks
            self._webhooks = Webhooks(self._database, secret.get_secret_value(), allow_private=private)
        self._sending: asyncio.Task[None] | None = None
        self.stopping = asyncio.Event()
        self.is_up = False
        self.waiting = math.nan

    async def look(self) -> None:
        """Find out how many pictures wait, and whether the database answers at all."""
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                self.waiting = await self.store.waiting()
        except (SQLAlchemyError, TimeoutError):
            self.is_up, self.waiting = False, math.nan
        else:
            self.is_up = True

    async def open(self) -> None:
        """Begin to work; what an earlier process left is taken up.

        Raises:
            ConfigError: the store cannot be opened.
        """
        await asyncio.to_thread(self._database.prepare)
        self._worker.start()
        if self._webhooks is not None:
            self._sending = asyncio.create_task(self._webhooks.run())

    async def submit(self, order: Order) -> str:
        """As the store does it."""
        task = await self.store.submit(order)
        self._worker.wake()
        return task

    async def cancel(self, task: str) -> bool:
        """As the store does it; what this process has under way stops at once."""
        is_new = await self.store.cancel(task)
        self._worker.drop(task)
        if is_new and (ended := await self.store.task(task)) is not None:
            note_ends([ended])
        return is_new

    def check_webhook(self, url: str) -> None:
        """Raises ConfigError for an address that must not be told, or when nobody is."""
        if self._webhooks is None:
            raise ConfigError("webhook_url is not taken here: the service has no secret for webhooks")
        check_address(url, allow_private=self._settings.allow_private_webhooks)

    def stop(self) -> None:
        """Take no more from the queue, and let nobody wait for what comes of it."""
        self.stopping.set()
        self._worker.stop()

    async def aclose(self) -> None:
        """Finish or give back what is under way."""
        self.stop()
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        await self._worker.aclose()
        await asyncio.to_thread(self._database.close)
