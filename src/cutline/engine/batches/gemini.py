"""Gemini's batches: OpenAI's API, except for files, for which there is Google's own.

API: https://ai.google.dev/gemini-api/docs/openai#batch and https://ai.google.dev/api/files
"""

from __future__ import annotations

import functools
import urllib.parse
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import IO

import aiohttp
import orjson

from cutline.engine.batches.client import MAX_FILE_BYTES, BatchService
from cutline.errors import Retryable
from cutline.records import JSON

OPENAI_FACE = "/v1beta/openai"
"""How the URL of Gemini's OpenAI-compatible API ends."""
_TYPE = "application/jsonl"


class GeminiService(BatchService):
    """As ``BatchService``; an id of a file is its name, such as ``files/abc``."""

    async def find_file(self, name: str) -> JSON | None:
        page = ""
        while True:
            query = urllib.parse.urlencode({"pageSize": 100, **({"pageToken": page} if page else {})})
            path = f"/v1beta/files?{query}"
            listed = await self._with_retries(functools.partial(self._native, "GET", path))
            for file in listed.get("files") or ():
                if file.get("displayName") == name:
                    return {"id": file["name"], "bytes": int(file.get("sizeBytes") or 0)}
            page = str(listed.get("nextPageToken") or "")
            if not page:
                return None

    async def _upload(self, file: IO[bytes], name: str, size: int) -> JSON:
        """A resumable upload in one piece, to the URL in the response to a first request."""
        headers = {
            **self._key(),
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": _TYPE,
        }
        request = orjson.dumps({"file": {"display_name": name}})
        url = f"{self._base}/upload/v1beta/files"
        async with self._exchange("POST", url, request, headers=headers, with_key=False) as response:
            target = response.headers.get("X-Goog-Upload-URL", "")
        if urllib.parse.urlsplit(target).netloc != urllib.parse.urlsplit(self._base).netloc:
            raise Retryable("malformed", f"{self.shown} returned an upload URL on another host")
        uploaded = await self._json(
            "POST",
            target,
            file,
            headers={
                "Content-Type": _TYPE,
                "X-Goog-Upload-Offset": "0",
                "X-Goog-Upload-Command": "upload, finalize",
            },
            with_key=False,  # the URL itself is secret
            size=size,
        )
        try:
            return {"id": uploaded["file"]["name"]}
        except (KeyError, TypeError):
            raise Retryable("malformed", f"{self.shown} returned no file name for an upload") from None

    def _content(self, file: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        url = f"{self._base}/download/v1beta/{_named(file)}:download?alt=media"
        return self._exchange("GET", url, headers=self._key(), with_key=False, size=MAX_FILE_BYTES)

    async def _deleted(self, file: str) -> JSON:
        return await self._native("DELETE", f"/v1beta/{_named(file)}")

    async def _native(self, method: str, path: str) -> JSON:
        """A call of Google's own API."""
        return await self._json(method, self._base + path, headers=self._key(), with_key=False)

    def _key(self) -> Mapping[str, str]:
        key = self.endpoint.endpoint.key
        return {"x-goog-api-key": key.reveal()} if key is not None else {}

    @property
    def _base(self) -> str:
        return self.endpoint.endpoint.url.removesuffix(OPENAI_FACE)


def _named(file: str) -> str:
    return file if file.startswith("files/") else f"files/{file}"
