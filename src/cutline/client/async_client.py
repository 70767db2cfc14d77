"""The asynchronous client, which the synchronous one runs in a thread."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self, Unpack

from cutline.client.records import Image, TaskProgress, caption_result_from, progress_from
from cutline.client.transport import Transport
from cutline.client.uploads import (
    ImageInput,
    Limits,
    image_input,
    image_inputs,
    multipart_form,
    request_groups,
)
from cutline.credentials import Secret, without_credentials
from cutline.errors import ConfigError, PictureError, Rejected, Retryable
from cutline.files import write_atomically
from cutline.results import CaptionOptions, CaptionResult

MAX_REQUESTS: Final = 4  # of one batch at a time
_FILE_FORMATS: Final = ("csv", "json", "jsonl")


class AsyncClient:
    """A client of ``cutline serve``; use it as an asynchronous context manager, or call ``aclose``.

    Args:
        url: where the service listens.
        api_key: the service's key, if the environment variable CUTLINE_SERVICE_KEY is not set.
        timeout: seconds that one request may take.
        retries: how often a request is retried that may succeed later.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        api_key: str | None = None,
        timeout: float = 600.0,
        retries: int = 4,
    ) -> None:
        key = api_key or os.environ.get("CUTLINE_SERVICE_KEY", "")
        self._transport = Transport(url, Secret(key) if key else None, timeout=timeout, retries=retries)
        self._limits: Limits | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._transport.shown}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections; a closed client takes no more calls."""
        await self._transport.aclose()

    async def ready(self) -> bool:
        """Whether the service is running with its model loaded; one request, without retries.

        Raises:
            EndpointUnusable: the key is not accepted.
        """
        try:
            await self._transport.request("GET", "/ready", retries=0)
        except (Retryable, Rejected):
            return False
        return True

    async def caption(self, image: Image, **options: Unpack[CaptionOptions]) -> CaptionResult:
        """The caption of one picture.

        Raises:
            PictureError: the local file, or the image, cannot be read.
            Rejected: the service cannot caption it; with the reason.
            Retryable: the service was not available, or had no time.
            EndpointUnusable: the key is not accepted.
        """
        picture = image_input(image)
        try:
            return await self._one(picture, options)
        except Rejected as error:
            if picture.data is not None:  # bytes have no name
                raise
            name = without_credentials(picture.name) if picture.kind == "url" else picture.name
            raise Rejected(error.kind, f"{name}: {error}", status=error.status) from None

    async def batch(self, images: Iterable[Image], **options: Unpack[CaptionOptions]) -> list[CaptionResult]:
        """The captions of several pictures in their order; each fails by itself, with ``error`` and ``kind``.

        Raises:
            Rejected, Retryable, EndpointUnusable: as ``caption``, if all pictures are affected.
        """
        results: dict[int, CaptionResult] = {}
        groups = request_groups(image_inputs(images))
        await _in_parallel(groups, lambda group: self._group(group, options, results))
        return [results[index] for index in sorted(results)]

    async def submit(
        self,
        images: Iterable[Image],
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        **options: Unpack[CaptionOptions],
    ) -> str:
        """Queue pictures and return the id of their job, which outlives the service's process.

        They are one request: files and bytes, or URLs, or paths of the server. By default a service accepts
        1,000 pictures and 64 MB in one; more is refused before anything is sent. ``webhook_url`` is called
        when the job has ended. The same ``idempotency_key`` returns the same job.

        Raises:
            ConfigError: they are mixed, none, or more than the service accepts.
            PictureError, Rejected, Retryable, EndpointUnusable: as ``caption``.
        """
        pictures = image_inputs(images)
        kinds = {picture.kind for picture in pictures}
        if not pictures:
            raise ConfigError("there is no picture to submit: pass at least one")
        if len(kinds) > 1:
            raise ConfigError(
                "a job has either files and bytes, or URLs, or paths of the server: submit them separately"
            )
        if self._limits is None:
            self._limits = Limits.from_models(await self._transport.request("GET", "/models"))
        await self._limits.check(pictures)
        fields = {**options, **({"webhook_url": webhook_url} if webhook_url is not None else {})}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        response = await self._post("/async-batch-caption", pictures, fields, plural="s", headers=headers)
        return str(response["task_id"])

    async def status(self, task_id: str) -> TaskProgress:
        """The job's progress.

        Raises:
            Rejected: there is no such job (status 404).
        """
        return progress_from(await self._transport.request("GET", f"/task-status/{task_id}"))

    async def results(self, task_id: str) -> list[CaptionResult]:
        """The results of the job so far, in the order of its pictures; raises as ``status``."""
        response = await self._transport.request("GET", f"/task-status/{task_id}")
        return [caption_result_from(one) for one in response["results"]]

    async def save_results(self, task_id: str, path: str | Path) -> None:
        """Write the results of the job so far to a file, whose name ends in .csv, .json or .jsonl.

        Raises:
            ConfigError: the name has another ending.
            OSError: the file cannot be written.
            Rejected: there is no such job (status 404).
        """
        form = Path(path).suffix.lower().removeprefix(".")
        if form not in _FILE_FORMATS:
            endings = ", ".join(f".{one}" for one in _FILE_FORMATS)
            raise ConfigError(f"cannot tell the format of {path}: end its name in one of {endings}")
        data = await self._transport.download(f"/task/{task_id}/results?format={form}")
        await asyncio.to_thread(write_atomically, path, data)

    async def cancel(self, task_id: str) -> TaskProgress:
        """Cancel the job; its results stay.

        Raises:
            Rejected: there is no such job (404), or it has already ended (409).
        """
        return progress_from(await self._transport.request("DELETE", f"/task/{task_id}"))

    async def wait(
        self, task_id: str, on_progress: Callable[[TaskProgress], object] | None = None
    ) -> TaskProgress:
        """Wait until the job has ended; ``on_progress`` is called with every change.

        Reconnects when the connection breaks, so also over a restart of the service.

        Raises:
            Rejected: there is no such job.
            Retryable: the service is not available for a long time.
        """
        while True:
            progress = await self.status(task_id)
            if progress.has_ended:
                return progress
            try:
                async for _, data in self._transport.events(f"/task/{task_id}/events"):
                    if on_progress is not None:
                        on_progress(progress_from(data))
            except Retryable:
                await asyncio.sleep(1.0)

    async def _post(
        self,
        path: str,
        pictures: Sequence[ImageInput],
        fields: Mapping[str, Any],
        *,
        plural: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The response to one request with pictures of one kind; ``plural`` "s" sends them as a list."""
        if pictures[0].kind == "upload":
            files = [(picture.name, await picture.read()) for picture in pictures]
            return await self._transport.request(
                "POST", path, form=lambda: multipart_form(f"image{plural}", files, fields), headers=headers
            )
        names = [picture.name for picture in pictures]
        body = {f"image_{pictures[0].kind}{plural}": names if plural else names[0], **fields}
        return await self._transport.request("POST", path, data=body, headers=headers)

    async def _one(self, picture: ImageInput, options: CaptionOptions) -> CaptionResult:
        response = await self._post("/caption", [picture], options)
        return caption_result_from(response, picture.name, picture.index)

    async def _group(
        self, group: list[ImageInput], options: CaptionOptions, results: dict[int, CaptionResult]
    ) -> None:
        """Add the pictures' results to ``results``."""
        if group[0].kind == "url":
            try:
                results[group[0].index] = await self._one(group[0], options)
            except Rejected as error:
                results[group[0].index] = _failed(group[0], error)
            return
        sent = []
        for picture in group:
            try:
                sent.append(await picture.loaded())
            except PictureError as error:
                results[picture.index] = _failed(picture, error)
        responses = await self._post("/batch-caption", sent, options, plural="s") if sent else []
        for picture, response in zip(sent, responses, strict=True):
            results[picture.index] = caption_result_from(response, picture.name, picture.index)


def _failed(picture: ImageInput, error: PictureError | Rejected) -> CaptionResult:
    return CaptionResult(image=picture.name, index=picture.index, error=str(error), kind=error.kind)


async def _in_parallel(
    groups: Iterator[list[ImageInput]], work: Callable[[list[ImageInput]], Awaitable[None]]
) -> None:
    """Work on all groups, a few at a time; the first error ends it."""

    async def worker() -> None:
        for group in groups:  # one iterator for all workers
            await work(group)

    try:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(MAX_REQUESTS):
                tasks.create_task(worker())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
