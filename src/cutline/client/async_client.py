"""The client for asynchronous code; the plain one asks it."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Self, Unpack

from cutline.client.limits import Limits
from cutline.client.records import (
    Image,
    TaskProgress,
    caption_result_from,
    progress_from,
)
from cutline.client.transport import Transport
from cutline.client.uploads import Sent, form_of, groups, listed, sent, with_wishes
from cutline.credentials import Secret, without_credentials
from cutline.errors import ConfigError, PictureError, Rejected, Retryable
from cutline.records import CaptionOptions, CaptionResult

AT_ONCE: Final = 4  # requests of one batch that are under way together


class AsyncClient:
    """A client of ``cutline serve``; use it as an asynchronous context, or call ``aclose``.

    Args:
        url: where the service listens.
        api_key: the service's key, where the environment variable CUTLINE_SERVICE_KEY is not set.
        timeout: seconds that one request may take.
        retries: how often a request is repeated that failed for a passing reason.
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
        """Close the connections; nothing can be asked any more."""
        await self._transport.aclose()

    async def ready(self) -> bool:
        """Whether the service is there with its model loaded; asks once, and does not wait.

        Raises:
            EndpointUnusable: the key is not accepted.
        """
        try:
            await self._transport.ask("GET", "/ready", retries=0)
        except (Retryable, Rejected):
            return False
        return True

    async def caption(self, image: Image, **wishes: Unpack[CaptionOptions]) -> CaptionResult:
        """The caption of one picture.

        Raises:
            PictureError: the file cannot be read here.
            Rejected: the service cannot caption it; with the reason.
            Retryable: the service could not be asked, or had no time.
            EndpointUnusable: the key is not accepted.
        """
        picture = sent(image)
        try:
            return await self._one(picture, wishes)
        except Rejected as error:
            if picture.data is not None:  # it has no name
                raise
            name = without_credentials(picture.name) if picture.kind == "url" else picture.name
            raise Rejected(error.kind, f"{name}: {error}", status=error.status) from None

    async def batch(self, images: Sequence[Image], **wishes: Unpack[CaptionOptions]) -> list[CaptionResult]:
        """The captions of several pictures in their order; each fails by itself, with ``error`` and ``kind``.

        Raises:
            Rejected, Retryable, EndpointUnusable: as ``caption``, where it concerns them all.
        """
        found: dict[int, CaptionResult] = {}
        waiting = groups(listed(images))
        await _in_parallel(waiting, lambda group: self._group(group, wishes, found))
        return [found[place] for place in sorted(found)]

    async def submit(
        self,
        images: Sequence[Image],
        *,
        webhook_url: str | None = None,
        idempotency_key: str | None = None,
        **wishes: Unpack[CaptionOptions],
    ) -> str:
        """Queue pictures and return the id of their job, which outlives the service's process.

        All of them go in one request: files and bytes, or URLs, or paths of the server. A service takes
        1,000 pictures and 64 MB in it, unless its operator says otherwise; what is more is found before
        anything is sent. ``webhook_url`` is told when the job has ended. The same ``idempotency_key``
        brings the same job.

        Raises:
            ConfigError: they are mixed, none, or more than the service takes at once.
            PictureError, Rejected, Retryable, EndpointUnusable: as ``caption``.
        """
        pictures = listed(images)
        kinds = {picture.kind for picture in pictures}
        if not pictures:
            raise ConfigError("there is no picture to submit: give at least one")
        if len(kinds) > 1:
            raise ConfigError(
                "a job takes files and bytes, or URLs, or paths of the server: submit them apart"
            )
        if self._limits is None:
            self._limits = Limits.told(await self._transport.ask("GET", "/models"))
        await self._limits.check(pictures)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        more = {"webhook_url": webhook_url} if webhook_url is not None else {}
        path = "/async-batch-caption"
        if kinds != {"upload"}:
            field = "image_urls" if kinds == {"url"} else "image_paths"
            body = with_wishes({field: [picture.name for picture in pictures], **more}, wishes)
            answer = await self._transport.ask("POST", path, data=body, headers=headers)
        else:
            files = [(picture.name, await picture.read()) for picture in pictures]
            fields = {**wishes, **more}
            answer = await self._transport.ask(
                "POST",
                path,
                form=lambda: form_of("images", files, fields),
                headers=headers,
            )
        return str(answer["task_id"])

    async def status(self, task_id: str) -> TaskProgress:
        """How far the job is.

        Raises:
            Rejected: there is no such job (status 404).
        """
        return progress_from(await self._transport.ask("GET", f"/task-status/{task_id}"))

    async def results(self, task_id: str) -> list[CaptionResult]:
        """The pictures of the job that are done, in the order in which they were sent; as ``status``."""
        answer = await self._transport.ask("GET", f"/task-status/{task_id}")
        return [caption_result_from(one) for one in answer["results"]]

    async def cancel(self, task_id: str) -> TaskProgress:
        """End the job; the results that are there stay.

        Raises:
            Rejected: there is no such job (404), or it had ended (409).
        """
        return progress_from(await self._transport.ask("DELETE", f"/task/{task_id}"))

    async def wait(
        self, task_id: str, on_progress: Callable[[TaskProgress], object] | None = None
    ) -> TaskProgress:
        """How the job ended; ``on_progress`` hears of every step on the way.

        A connection that breaks is made anew, so that a job outlives a restart of its service here too.

        Raises:
            Rejected: there is no such job.
            Retryable: the service stays away.
        """
        while True:
            now = await self.status(task_id)
            if now.has_ended:
                return now
            try:
                async for _, data in self._transport.events(f"/task/{task_id}/events"):
                    now = progress_from(data)
                    if on_progress is not None:
                        on_progress(now)
            except Retryable:
                await asyncio.sleep(1.0)

    async def _one(self, picture: Sent, wishes: CaptionOptions) -> CaptionResult:
        if picture.kind == "upload":
            files = [(picture.name, await picture.read())]
            answer = await self._transport.ask(
                "POST", "/caption", form=lambda: form_of("image", files, wishes)
            )
        else:
            field = "image_url" if picture.kind == "url" else "image_path"
            body = with_wishes({field: picture.name}, wishes)
            answer = await self._transport.ask("POST", "/caption", data=body)
        return caption_result_from(answer, picture.name, picture.place)

    async def _group(
        self, group: list[Sent], wishes: CaptionOptions, found: dict[int, CaptionResult]
    ) -> None:
        """Put what becomes of each picture in ``found``."""
        if group[0].kind == "url":
            found[group[0].place] = await self._linked(group[0], wishes)
            return
        if group[0].kind == "path":
            there = group
            body = with_wishes({"image_paths": [picture.name for picture in there]}, wishes)
            answers = await self._transport.ask("POST", "/batch-caption", data=body)
        else:
            there, files = [], []
            for picture in group:
                try:
                    files.append((picture.name, await picture.read()))
                    there.append(picture)
                except PictureError as error:
                    found[picture.place] = _failed(picture, error)
            if not there:
                return
            answers = await self._transport.ask(
                "POST", "/batch-caption", form=lambda: form_of("images", files, wishes)
            )
        for picture, answer in zip(there, answers, strict=True):
            found[picture.place] = caption_result_from(answer, picture.name, picture.place)

    async def _linked(self, picture: Sent, wishes: CaptionOptions) -> CaptionResult:
        try:
            return await self._one(picture, wishes)
        except Rejected as error:
            return _failed(picture, error)


def _failed(picture: Sent, error: PictureError | Rejected) -> CaptionResult:
    return CaptionResult(image=picture.name, index=picture.place, error=str(error), kind=error.kind)


async def _in_parallel(waiting: Iterator[list[Sent]], work: Callable[[list[Sent]], Awaitable[None]]) -> None:
    """Do the work on all groups, few at a time; the first error ends it."""

    async def worker() -> None:
        for group in waiting:  # one iterator for all workers: each group is taken once
            await work(group)

    try:
        async with asyncio.TaskGroup() as running:
            for _ in range(AT_ONCE):
                running.create_task(worker())
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
