"""Gemini's batches: begun and looked at as OpenAI's are, with files that go by Google's own API.

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

from cutline.engine.batches.client import LARGEST, BatchService
from cutline.errors import Retryable
from cutline.records import JSON

OPENAI_FACE = "/v1beta/openai"
"""How the address ends at which Gemini speaks as OpenAI does."""
_TYPE = "application/jsonl"


class GeminiService(BatchService):
    """As ``BatchService``; an id of a file is its name, such as ``files/abc``."""

    async def find_file(self, name: str) -> JSON | None:
        page = ""
        while True:
            query = urllib.parse.urlencode({"pageSize": 100, **({"pageToken": page} if page else {})})
            path = f"/v1beta/files?{query}"
            listed = await self._patiently(functools.partial(self._native, "GET", path))
            for file in listed.get("files") or ():
                if file.get("displayName") == name:
                    return {"id": file["name"], "bytes": int(file.get("sizeBytes") or 0)}
            page = str(listed.get("nextPageToken") or "")
            if not page:
                return None

    async def _sent(self, file: IO[bytes], name: str, size: int) -> JSON:
        """A resumable upload in one piece: first the wish, then the bytes to the address that is named."""
        headers = {
            **self._key(),
            "X-Goog-Upload-Protocol": "resumable",
            "X-Goog-Upload-Command": "start",
            "X-Goog-Upload-Header-Content-Length": str(size),
            "X-Goog-Upload-Header-Content-Type": _TYPE,
        }
        wish = orjson.dumps({"file": {"display_name": name}})
        url = f"{self._base}/upload/v1beta/files"
        async with self._exchange("POST", url, wish, headers=headers, with_key=False) as response:
            place = response.headers.get("X-Goog-Upload-URL", "")
        if urllib.parse.urlsplit(place).netloc != urllib.parse.urlsplit(self._base).netloc:
            raise Retryable("malformed", f"{self.shown} names no address of its own for a file")
        sent = await self._json(
            "POST",
            place,
            file,
            headers={
                "Content-Type": _TYPE,
                "X-Goog-Upload-Offset": "0",
                "X-Goog-Upload-Command": "upload, finalize",
            },
            with_key=False,  # the address is secret enough
            size=size,
        )
        try:
            return {"id": sent["file"]["name"]}
        except (KeyError, TypeError):
            raise Retryable("malformed", f"{self.shown} did not name the file that it got") from None

    def _content(self, file: str) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        url = f"{self._base}/download/v1beta/{_named(file)}:download?alt=media"
        return self._exchange("GET", url, headers=self._key(), with_key=False, size=LARGEST)

    async def _deleted(self, file: str) -> JSON:
        return await self._native("DELETE", f"/v1beta/{_named(file)}")

    async def _native(self, method: str, path: str) -> JSON:
        """What Google's own API answers."""
        return await self._json(method, self._base + path, headers=self._key(), with_key=False)

    def _key(self) -> Mapping[str, str]:
        key = self._endpoint.endpoint.key
        return {"x-goog-api-key": key.reveal()} if key is not None else {}

    @property
    def _base(self) -> str:
        return self._endpoint.endpoint.url.removesuffix(OPENAI_FACE)


def _named(file: str) -> str:
    return file if file.startswith("files/") else f"files/{file}"
