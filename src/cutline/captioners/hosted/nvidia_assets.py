"""Pictures that are too large for a request, put on NVIDIA's storage for as long as one is answered.

API: https://docs.nvidia.com/cloud-functions/user-guide/latest/cloud-function/assets.html
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from urllib.parse import quote, urlsplit

import orjson

from cutline.captioners.hosted.endpoint import Answer, Endpoint
from cutline.errors import CutlineError, Retryable
from cutline.imaging import Encoded

_log = logging.getLogger(__name__)
_DESCRIPTION = "picture"
_PATIENCE = 10.0  # seconds for what is still to be deleted at the end


class Assets:
    """Uploads pictures at ``{endpoint}/v2/nvcf/assets``; ``refused`` makes the error for a refusal there."""

    def __init__(self, endpoint: Endpoint, refused: Callable[[Answer], Exception]) -> None:
        self._endpoint = endpoint
        self._refused = refused
        self._url = endpoint.url + "/v2/nvcf/assets"
        self._deleting: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def holding(self, picture: Encoded) -> AsyncIterator[str]:
        """The id of the uploaded picture; deleted afterwards, whatever happened.

        Raises:
            RequestError, EndpointUnusable: it could not be uploaded.
        """
        identity, url = await self._create(picture.mime)
        try:
            await self._upload(url, picture)
            yield identity
        finally:  # without waiting for it: not even being cancelled keeps it from being deleted
            task = asyncio.get_running_loop().create_task(self._delete(identity))
            self._deleting.add(task)
            task.add_done_callback(self._deleting.discard)

    async def aclose(self) -> None:
        """Wait for what is being deleted."""
        if self._deleting:
            await asyncio.wait(self._deleting, timeout=_PATIENCE)

    async def _create(self, mime: str) -> tuple[str, str]:
        body = orjson.dumps({"contentType": mime, "description": _DESCRIPTION})
        answer = await self._endpoint.send("POST", self._url, body)
        if answer.status != 200:
            raise self._refused(answer)
        data = self._endpoint.parsed(answer)
        try:
            identity, url = str(data["assetId"]), str(data["uploadUrl"])
        except (KeyError, TypeError):
            raise Retryable("malformed", f"{self._endpoint.shown} returned no upload URL") from None
        if urlsplit(url).scheme not in {"https", urlsplit(self._url).scheme}:
            raise Retryable("malformed", f"{self._endpoint.shown} returned an unsafe upload URL")
        return identity, url

    async def _upload(self, url: str, picture: Encoded) -> None:
        headers = {"Content-Type": picture.mime, "x-amz-meta-nvcf-asset-description": _DESCRIPTION}
        # The address is signed itself: the key is nothing that the storage should see.
        answer = await self._endpoint.send("PUT", url, picture.data, headers=headers, with_key=False)
        if answer.status not in {200, 201, 204}:  # signed for an hour: what was too slow is signed again
            place = urlsplit(url).hostname
            raise Retryable(
                "endpoint", f"{place} answered {answer.status} to an upload", status=answer.status
            )

    async def _delete(self, identity: str) -> None:
        try:
            answer = await self._endpoint.send("DELETE", f"{self._url}/{quote(identity, safe='')}")
            trouble = "" if answer.status in {200, 202, 204, 404} else f"status {answer.status}"
        except CutlineError as error:
            trouble = str(error)
        if trouble:
            _log.warning("asset=%s not deleted, it ends by itself within a day: %s", identity, trouble)
