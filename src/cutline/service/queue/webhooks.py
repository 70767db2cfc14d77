"""Webhooks for jobs that have ended: signed by https://www.standardwebhooks.com, and sent until accepted."""

from __future__ import annotations

import asyncio
import base64
import collections
import contextlib
import dataclasses
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Iterator, Sequence
from http import HTTPStatus
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
MAX_WAIT: Final = 86_400.0  # that a receiver may ask for
MAX_SENDING: Final = 64
MAX_SENDING_EACH: Final = 4  # to one receiver


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


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    """Why a message was not accepted; ``wait`` in seconds, where the receiver names it."""

    cause: str
    wait: float | None = None
    is_final: bool = False


class Webhooks:
    """Sends what is due, also for jobs of processes that died.

    Each receiver has a few sendings of its own, so that one that hangs delays no other.
    """

    def __init__(self, database: Database, keys: Sequence[bytes], *, allow_private: bool) -> None:
        """A message is signed with each of ``keys``."""
        self._database, self._keys, self._allow_private = database, keys, allow_private
        self._sending: dict[asyncio.Task[None], str] = {}
        self._wakeup = asyncio.Event()

    async def run(self) -> None:
        """Send until cancelled."""
        resolver = PublicResolver(allow_private=self._allow_private)
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(resolver=resolver, force_close=True),
            timeout=aiohttp.ClientTimeout(total=SEND_SECONDS),
            trust_env=False,  # a proxy would connect to unchecked addresses
            cookie_jar=aiohttp.DummyCookieJar(),
        ) as session:
            try:
                while True:
                    self._wakeup.clear()
                    with self._logged():
                        for row in await self._due() if len(self._sending) < MAX_SENDING else ():
                            self._begin(session, row)
                            self._wakeup.set()  # there may be more, of other receivers
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wakeup.wait(), POLL_SECONDS)
            finally:
                for task in self._sending:
                    task.cancel()
                await asyncio.gather(*self._sending, return_exceptions=True)

    @contextlib.contextmanager
    def _logged(self) -> Iterator[None]:
        """Log errors: neither a database that is away nor a bug must end the other webhooks."""
        try:
            yield
        except SQLAlchemyError as error:
            _log.error("store unavailable cause=%s", describe_error(error))
        except Exception:  # noqa: BLE001 - see above
            _log.exception("unexpected error")

    def _begin(self, session: aiohttp.ClientSession, row: Any) -> None:
        async def send() -> None:
            with self._logged():
                await self._send(session, row)

        task = asyncio.create_task(send())
        self._sending[task] = _origin(row.webhook)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._sending[task]
        self._wakeup.set()

    async def _due(self) -> list[Any]:
        """Rows of jobs to report now, reserved for this process; others take them over if it dies."""
        due = sa.select(jobs).where(jobs.c.webhook_due <= self._database.now).order_by(jobs.c.webhook_due)
        counts = collections.Counter(self._sending.values())
        for origin in (origin for origin, count in counts.items() if count >= MAX_SENDING_EACH):
            paths = (jobs.c.webhook.startswith(origin + end, autoescape=True) for end in "/?#")
            due = due.where(jobs.c.webhook != origin, *(~path for path in paths))
        due = due.limit(MAX_SENDING_EACH)
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
        refusal = await self._post(session, row)
        delay = None
        if refusal is not None and not refusal.is_final and attempt < MAX_ATTEMPTS:
            delay = retry_policy.delay(attempt, first=2.0, growth=3.0, longest=3600.0, least=0.5)
            delay = max(delay, min(refusal.wait or 0.0, MAX_WAIT))
        if refusal is not None:
            values = (row.id, attempt, refusal.cause, delay)
            _log.warning("webhook failed job=%s attempt=%d cause=%s retry_seconds=%s", *values)
        due = None if delay is None else self._database.now + delay
        await self._database.write(
            lambda some: some.execute(jobs.update().where(jobs.c.id == row.id).values(webhook_due=due))
        )

    async def _post(self, session: aiohttp.ClientSession, row: Any) -> _Refusal | None:
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
            "webhook-signature": " ".join(signature(key, row.id, timestamp, body) for key in self._keys),
        }
        try:
            url = checked_url(row.webhook, allow_private=self._allow_private)
            async with session.post(url, data=body, headers=headers, allow_redirects=False) as response:
                if 200 <= response.status < 300:
                    return None
                wait = retry_policy.retry_after(response.headers)
                gone = response.status == HTTPStatus.GONE
                return _Refusal(cause=f"status {response.status}", wait=wait, is_final=gone)
        except PictureError as error:
            return _Refusal(cause=error.kind)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            return _Refusal(cause=type(error).__name__)


def _origin(url: str) -> str:
    """The beginning that all URLs of one receiver share."""
    scheme, separator, rest = url.partition("://")
    return scheme + separator + re.split(r"[/?#]", rest, maxsplit=1)[0]
