"""Webhooks for jobs that have ended: signed by https://www.standardwebhooks.com, and sent until accepted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import time
from typing import Any, Final

import aiohttp
import orjson
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from cutline import retry_policy
from cutline.errors import ConfigError, PictureError
from cutline.locations.addresses import PublicResolver, checked_url
from cutline.service.queue.schema import Database, describe_error, jobs

_log = logging.getLogger("cutline.service.queue")

POLL_SECONDS: Final = 1.0
SEND_SECONDS: Final = 10.0
MAX_ATTEMPTS: Final = 9  # over a few hours
_BATCH: Final = 16


def check_address(url: str, *, allow_private: bool) -> None:
    """Raises ConfigError for what is not an address of the public internet."""
    try:
        checked_url(url, allow_private=allow_private)
    except PictureError:
        raise ConfigError(
            "webhook_url must be an http or https address that this service may reach"
        ) from None


def signature(key: bytes, message: str, timestamp: int, body: bytes) -> str:
    """HMAC-SHA256 over the message's id, its time and its body."""
    signed = f"{message}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


class Webhooks:
    """Sends what is due, also for jobs of processes that died."""

    def __init__(self, database: Database, key: bytes, *, allow_private: bool) -> None:
        self._database, self._key, self._allow_private = database, key, allow_private

    async def run(self) -> None:
        """Send until cancelled."""
        resolver = PublicResolver(allow_private=self._allow_private)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
            timeout=aiohttp.ClientTimeout(total=SEND_SECONDS),
            trust_env=False,  # a proxy would connect to unchecked addresses
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            while True:
                try:
                    due = await self._due()
                    await asyncio.gather(*(self._send(session, row) for row in due))
                except SQLAlchemyError as error:
                    _log.error("store unavailable cause=%s", describe_error(error))
                    due = []
                except Exception:  # noqa: BLE001 - a bug must not end the other webhooks
                    _log.exception("unexpected error")
                    due = []
                if len(due) < _BATCH:
                    await asyncio.sleep(POLL_SECONDS)

    async def _due(self) -> list[Any]:
        """Rows of jobs to report now, reserved for this process; others take them over if it dies."""
        due = sa.select(jobs).where(jobs.c.webhook_due <= self._database.now).limit(_BATCH)
        if not await self._database.read(lambda some: some.execute(due.limit(1)).first()):
            return []

        def claim(connection: sa.Connection) -> list[Any]:
            rows = list(connection.execute(due.with_for_update(skip_locked=True)))
            claimed = jobs.c.id.in_([row.id for row in rows])
            until = self._database.now + 3 * SEND_SECONDS
            values = {"webhook_due": until, "webhook_attempts": jobs.c.webhook_attempts + 1}
            connection.execute(jobs.update().where(claimed).values(**values))
            return rows

        return await self._database.write(claim)

    async def _send(self, session: aiohttp.ClientSession, row: Any) -> None:
        attempt = row.webhook_attempts + 1
        cause = await self._post(session, row)
        delay = None
        if cause is not None and attempt < MAX_ATTEMPTS:
            delay = retry_policy.delay(attempt, first=2.0, growth=3.0, longest=3600.0, least=0.5)
        if cause is not None:
            _log.warning(
                "webhook failed job=%s attempt=%d cause=%s retry_seconds=%s", row.id, attempt, cause, delay
            )
        due = None if delay is None else self._database.now + delay
        await self._database.write(
            lambda some: some.execute(jobs.update().where(jobs.c.id == row.id).values(webhook_due=due))
        )

    async def _post(self, session: aiohttp.ClientSession, row: Any) -> str | None:
        """Why it was not accepted; None when it was."""
        timestamp = int(time.time())
        names = ("status", "total", "captioned", "failed")
        data = {"task_id": row.id, **{name: getattr(row, name) for name in names}}
        data["cancelled"] = row.total - row.captioned - row.failed
        body = orjson.dumps({"type": "task.ended", "timestamp": timestamp, "data": data})
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "cutline",
            "webhook-id": row.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._key, row.id, timestamp, body),
        }
        try:
            url = checked_url(row.webhook, allow_private=self._allow_private)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                return None if 200 <= response.status < 300 else f"status {response.status}"
        except PictureError as error:
            return error.kind
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return type(error).__name__
