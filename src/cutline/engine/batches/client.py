"""The batch API of a service: files up, batches begun, looked at and ended, answers down.

API: https://platform.openai.com/docs/api-reference/batch and https://platform.openai.com/docs/api-reference/files
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Any, TypeVar

import aiohttp
import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.captioners.hosted.refusals import refusal
from cutline.engine.batches.requests import PATH
from cutline.errors import EndpointUnusable, Rejected, Retryable
from cutline.files import write_errors
from cutline.records import JSON
from cutline.retry_policy import delay
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_NONE_HERE = frozenset({404, 405, 501})
_PAGE = 100
_SLOWEST = 50_000  # bytes a second that a line must bring for a file to be sent or fetched in time
_LONGEST_WAIT = 300.0
_NOTICED = 1.0  # seconds after which a person wants to know what is waited for
_UNREACHABLE_RETRIES = 2
LARGEST = 1_000_000_000  # bytes of answers


class BatchService:
    """Asks the service that ``endpoint`` asks; what fails for a passing reason is repeated.

    ``retries`` and ``delay`` as for ordinary requests, ``say`` takes lines about what keeps it long. All
    methods raise EndpointUnusable where there is no batch API or the key is refused, Rejected for what is
    refused for good, Retryable after the last retry.
    """

    def __init__(
        self, endpoint: OpenAIChat, *, retries: int, delay: float, say: Callable[[str], None]
    ) -> None:
        self._endpoint = endpoint
        self._retries = retries
        self._delay = delay
        self._say = say

    @property
    def shown(self) -> str:
        return self._endpoint.endpoint.shown

    async def upload(self, path: Path, name: str) -> str:
        """Send a file of requests; returns its id. It may have come although this failed."""
        size = await in_thread(lambda: path.stat().st_size)

        async def send() -> JSON:
            with path.open("rb") as file:
                return await self._sent(file, name, size)

        found = await self._patiently(send, unless=lambda: self.find_file(name))
        return str(found["id"])

    async def _sent(self, file: IO[bytes], name: str, size: int) -> JSON:
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", file, filename=name, content_type="application/jsonl")
        body = form()
        return self._named(
            await self._json("POST", "/files", body, headers={"Content-Type": body.content_type}, size=size)
        )

    async def find_file(self, name: str) -> JSON | None:
        """The file of that name, if it has come to the service."""
        return await self._find("/files", {"purpose": "batch"}, lambda row: row.get("filename") == name)

    async def create(self, input_file: str, name: str) -> JSON:
        """Begin a batch of a file that was sent."""
        wish = {
            "input_file_id": input_file,
            "endpoint": PATH,
            "completion_window": "24h",
            "metadata": {"cutline": name},
        }

        async def begin() -> JSON:
            return self._named(await self._json("POST", "/batches", orjson.dumps(wish)))

        return await self._patiently(begin, unless=lambda: self.find_batch(input_file))

    async def find_batch(self, input_file: str) -> JSON | None:
        """The batch of that file, if it was begun."""
        return await self._find("/batches", {}, lambda row: row.get("input_file_id") == input_file)

    async def batch(self, number: str) -> JSON:
        return await self._patiently(lambda: self._json("GET", f"/batches/{number}"))

    async def cancel(self, number: str) -> JSON:
        return await self._patiently(lambda: self._json("POST", f"/batches/{number}/cancel", b"{}"))

    async def download(self, file: str, path: Path) -> None:
        """Fetch a file of answers; what lies at ``path`` is whole."""

        async def fetch() -> None:
            part = path.with_name(path.name + ".part")
            async with self._content(file) as response:
                with part.open("wb") as out:
                    async for chunk in response.content.iter_chunked(1 << 18):
                        with write_errors(part):
                            out.write(chunk)
                        self._say(f"fetching answers: {out.tell() / 1e6:,.2f} MB")
            with write_errors(path):
                part.replace(path)

        await self._patiently(fetch)

    def _content(self, file: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._exchange("GET", f"/files/{file}/content", size=LARGEST)

    async def delete(self, file: str) -> None:
        """Take a file away at the service; one that is gone already is no error."""
        try:
            await self._patiently(lambda: self._deleted(file))
        except Rejected as error:
            if error.status != 404:
                raise

    async def _deleted(self, file: str) -> JSON:
        return await self._json("DELETE", f"/files/{file}")

    async def aclose(self) -> None:
        await self._endpoint.aclose()

    async def _find(self, path: str, query: JSON, wanted: Callable[[JSON], bool]) -> JSON | None:
        """The first of a list, read page by page, that is wanted."""
        after = ""
        while True:
            asked = "&".join(f"{k}={v}" for k, v in {**query, "limit": _PAGE, "after": after}.items() if v)
            page = await self._patiently(functools.partial(self._json, "GET", f"{path}?{asked}"))
            rows = [row for row in page.get("data") or () if isinstance(row, dict)]
            found = next((row for row in rows if wanted(row)), None)
            if found is not None or not rows or not page.get("has_more"):
                return found
            after = str(rows[-1].get("id", ""))

    async def _patiently(
        self, ask: Callable[[], Awaitable[_T]], *, unless: Callable[[], Awaitable[_T | None]] | None = None
    ) -> _T:
        """What ``ask`` brings, asked again for passing reasons; ``unless`` finds what came all the same."""
        failures = 0
        while True:
            try:
                return await ask()
            except Retryable as error:
                failures += 1
                nobody = error.kind == "unreachable"
                if failures > min(self._retries, _UNREACHABLE_RETRIES if nobody else self._retries):
                    raise (
                        EndpointUnusable(f"{error}: is it running, and this machine online?", kind=error.kind)
                        if nobody
                        else error
                    ) from None
                wait = error.retry_after
                seconds = delay(failures, first=self._delay) if wait is None else min(wait, _LONGEST_WAIT)
                _log.info("retry batch-api attempt=%d wait=%.1fs cause=%s", failures, seconds, error)
                if seconds >= _NOTICED:
                    self._say(f"asking again in {seconds:,.0f} s: {error}")
                await asyncio.sleep(seconds)
            if unless is not None and (found := await unless()) is not None:
                return found

    def _named(self, said: JSON) -> JSON:
        if not isinstance(said.get("id"), str):
            raise Retryable("malformed", f"{self.shown} did not name what it got")
        return said

    async def _json(self, method: str, path: str, body: Any = None, **options: Any) -> JSON:
        async with self._exchange(method, path, body, **options) as response:
            content = await response.read()
        try:
            data = orjson.loads(content)
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise Retryable(
                "malformed", f"{self.shown} answered {method} {path.partition('?')[0]} with no object"
            )
        return data

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, path: str, body: Any = None, *, size: int = 0, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request and its answer, still to be read; ``size`` bytes get the time they may take."""
        endpoint = self._endpoint.endpoint
        url = path if "://" in path else endpoint.url + path
        async with endpoint.exchange(method, url, body, longer=size / _SLOWEST, **options) as response:
            if response.status != 200:
                raise self._refusal(
                    method, path, Answer(response.status, response.headers, await response.read())
                )
            yield response

    def _refusal(self, method: str, path: str, answer: Answer) -> Exception:
        error = refusal(answer, self._endpoint.request_info)
        if not isinstance(error, Rejected) or answer.status not in _NONE_HERE:
            return error
        place = path.partition("?")[0]
        if method == "GET" and place == "/batches":
            return Rejected(
                "rejected",
                f"{self.shown} lists no batches, so nobody knows whether one was begun when the line broke: "
                "look for it there, then `cutline batch cancel` forgets it here",
                status=answer.status,
            )
        if place.count("/") == 1 or place.endswith("/upload/v1beta/files"):
            return EndpointUnusable(
                f"{self.shown} has no batch API (it answered {answer.status} to {method} {place}): "
                "`cutline caption` asks it at once, at the usual price"
            )
        return Rejected(
            "rejected",
            f"{self.shown} does not know {place.rpartition('/')[2]} (any more): was it sent with another "
            "key? `cutline batch cancel` gives it up",
            status=answer.status,
        )
