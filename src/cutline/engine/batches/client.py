"""A client for the batch API of OpenAI and of services that copy it.

API: https://platform.openai.com/docs/api-reference/batch and https://platform.openai.com/docs/api-reference/files
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import IO, Any, TypeVar

import aiohttp
import orjson

from cutline.captioners.hosted.endpoint import Answer
from cutline.captioners.hosted.error_responses import response_error
from cutline.captioners.hosted.openai import OpenAIChat
from cutline.engine.batch_manifest import Batch
from cutline.engine.batches.requests import PATH
from cutline.errors import EndpointUnusable, Rejected, Retryable
from cutline.files import write_errors
from cutline.records import JSON
from cutline.retry_policy import delay
from cutline.worker_threads import in_thread

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
_NOT_FOUND = frozenset({404, 405, 501})
_PAGE = 100
_MIN_BYTES_PER_SECOND = 50_000  # of a connection, for the timeouts of files
_MAX_WAIT = 300.0
_REPORTED_WAIT = 1.0  # seconds; shorter waits are not reported
_UNREACHABLE_RETRIES = 2
MAX_FILE_BYTES = 1_000_000_000  # of replies


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatchService:
    """Calls the service behind ``endpoint``, and retries transient failures.

    ``retries`` and ``delay`` as for ordinary requests; ``say`` receives lines about long waits. All methods
    raise EndpointUnusable without a batch API or an accepted key, Rejected for permanent failures,
    Retryable after the last retry.
    """

    endpoint: OpenAIChat
    retries: int
    delay: float
    say: Callable[[str], None]

    @property
    def shown(self) -> str:
        return self.endpoint.endpoint.shown

    async def upload(self, path: Path, name: str) -> str:
        """Upload a file of requests; returns its id. After an error it may have arrived all the same."""
        size = await in_thread(lambda: path.stat().st_size)

        async def send() -> JSON:
            with path.open("rb") as file:
                return await self._upload(file, name, size)

        found = await self._with_retries(send, unless=lambda: self.find_file(name))
        return str(found["id"])

    async def _upload(self, file: IO[bytes], name: str, size: int) -> JSON:
        form = aiohttp.FormData()
        form.add_field("purpose", "batch")
        form.add_field("file", file, filename=name, content_type="application/jsonl")
        body = form()
        return self._with_id(
            await self._json("POST", "/files", body, headers={"Content-Type": body.content_type}, size=size)
        )

    async def find_file(self, name: str) -> JSON | None:
        """The file of that name, if the service has it."""
        return await self._find("/files", {"purpose": "batch"}, lambda row: row.get("filename") == name)

    async def create(self, input_file: str, name: str) -> JSON:
        """Create a batch of an uploaded file."""
        request = {
            "input_file_id": input_file,
            "endpoint": PATH,
            "completion_window": "24h",
            "metadata": {"cutline": name},
        }

        async def create() -> JSON:
            return self._with_id(await self._json("POST", "/batches", orjson.dumps(request)))

        return await self._with_retries(create, unless=lambda: self.find_batch(input_file))

    async def find_batch(self, input_file: str) -> JSON | None:
        """The batch of that file, if it exists."""
        return await self._find("/batches", {}, lambda row: row.get("input_file_id") == input_file)

    async def batch(self, number: str) -> JSON:
        return await self._with_retries(lambda: self._json("GET", f"/batches/{number}"))

    async def cancel(self, number: str) -> JSON:
        return await self._with_retries(lambda: self._json("POST", f"/batches/{number}/cancel", b"{}"))

    async def download(self, file: str, path: Path) -> None:
        """Download a file of replies; ``path`` is replaced once it is complete."""

        async def fetch() -> None:
            part = path.with_name(path.name + ".part")
            async with self._content(file) as response:
                with part.open("wb") as out:
                    async for chunk in response.content.iter_chunked(1 << 18):
                        with write_errors(part):
                            out.write(chunk)
                        self.say(f"downloading replies: {out.tell() / 1e6:,.2f} MB")
            with write_errors(path):
                part.replace(path)

        await self._with_retries(fetch)

    def _content(self, file: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        return self._exchange("GET", f"/files/{file}/content", size=MAX_FILE_BYTES)

    async def delete(self, file: str) -> None:
        """Delete a file at the service, if it exists."""
        try:
            await self._with_retries(lambda: self._deleted(file))
        except Rejected as error:
            if error.status != 404:
                raise

    async def _deleted(self, file: str) -> JSON:
        return await self._json("DELETE", f"/files/{file}")

    async def aclose(self) -> None:
        await self.endpoint.aclose()

    async def _find(self, path: str, query: JSON, wanted: Callable[[JSON], bool]) -> JSON | None:
        """The first wanted row of a list, read page by page."""
        after = ""
        while True:
            params = "&".join(f"{k}={v}" for k, v in {**query, "limit": _PAGE, "after": after}.items() if v)
            page = await self._with_retries(functools.partial(self._json, "GET", f"{path}?{params}"))
            rows = [row for row in page.get("data") or () if isinstance(row, dict)]
            found = next((row for row in rows if wanted(row)), None)
            if found is not None or not rows or not page.get("has_more"):
                return found
            after = str(rows[-1].get("id", ""))

    async def _with_retries(
        self, call: Callable[[], Awaitable[_T]], *, unless: Callable[[], Awaitable[_T | None]] | None = None
    ) -> _T:
        """The result of ``call``, with retries; ``unless`` finds what a failed call has done all the same."""
        failures = 0
        while True:
            try:
                return await call()
            except Retryable as error:
                failures += 1
                unreachable = error.kind == "unreachable"
                if failures > min(self.retries, _UNREACHABLE_RETRIES if unreachable else self.retries):
                    raise (
                        EndpointUnusable(f"{error}: is it running, and this machine online?", kind=error.kind)
                        if unreachable
                        else error
                    ) from None
                wait = error.retry_after
                seconds = delay(failures, first=self.delay) if wait is None else min(wait, _MAX_WAIT)
                _log.info("retry batch-api attempt=%d wait=%.1fs cause=%s", failures, seconds, error)
                if seconds >= _REPORTED_WAIT:
                    self.say(f"retrying in {seconds:,.0f} s: {error}")
                await asyncio.sleep(seconds)
            if unless is not None and (found := await unless()) is not None:
                return found

    def _with_id(self, response: JSON) -> JSON:
        if not isinstance(response.get("id"), str):
            raise Retryable("malformed", f"{self.shown} returned no id")
        return response

    async def _json(self, method: str, path: str, body: Any = None, **options: Any) -> JSON:
        async with self._exchange(method, path, body, **options) as response:
            content = await response.read()
        try:
            data = orjson.loads(content)
        except orjson.JSONDecodeError:
            data = None
        if not isinstance(data, dict):
            raise Retryable(
                "malformed", f"{self.shown} returned no JSON object for {method} {path.partition('?')[0]}"
            )
        return data

    @contextlib.asynccontextmanager
    async def _exchange(
        self, method: str, path: str, body: Any = None, *, size: int = 0, **options: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """One request and its unread response; the timeout allows for ``size`` bytes."""
        endpoint = self.endpoint.endpoint
        url = path if "://" in path else endpoint.url + path
        async with endpoint.exchange(
            method, url, body, longer=size / _MIN_BYTES_PER_SECOND, **options
        ) as response:
            if response.status != 200:
                raise self._refusal(
                    method, path, Answer(response.status, response.headers, await response.read())
                )
            yield response

    def _refusal(self, method: str, path: str, answer: Answer) -> Exception:
        error = response_error(answer, self.endpoint.request_info)
        if not isinstance(error, Rejected) or answer.status not in _NOT_FOUND:
            return error
        place = path.partition("?")[0]
        if method == "GET" and place == "/batches":
            return Rejected(
                "rejected",
                f"{self.shown} does not list batches, so it is unknown whether one was created when the "
                "connection broke: look for it there, then forget it here with `cutline batch cancel`",
                status=answer.status,
            )
        if place.count("/") == 1 or place.endswith("/upload/v1beta/files"):
            return EndpointUnusable(
                f"{self.shown} has no batch API ({method} {place} returned {answer.status}): "
                "use `cutline caption` instead, at the usual price"
            )
        return Rejected(
            "rejected",
            f"{self.shown} does not have {place.rpartition('/')[2]}, or only for another key; "
            "`cutline batch cancel` gives it up",
            status=answer.status,
        )


def with_response(batch: Batch, response: JSON) -> Batch:
    """The batch in the state that the service reports."""
    counts, errors = response.get("request_counts"), response.get("errors")
    counts = counts if isinstance(counts, dict) else {}
    errors = errors.get("data") if isinstance(errors, dict) else None
    errors = errors if isinstance(errors, list) else []
    found = (str(error.get("message") or error.get("code")) for error in errors if isinstance(error, dict))
    messages = list(dict.fromkeys(found))
    return batch.changed(
        status=str(response.get("status") or ""),
        problem=" ".join("; ".join(messages[:3]).split())[:300].rstrip("."),
        output_file=str(response.get("output_file_id") or ""),
        error_file=str(response.get("error_file_id") or ""),
        done=_number(counts.get("completed")) or 0,
        failed=_number(counts.get("failed")) or 0,
        ends=_number(response.get("expires_at")),
    )


def _number(value: object) -> int | None:
    """A count in a response, if it is one."""
    return int(value) if isinstance(value, int | float) and 0 <= value < 1e12 else None
