"""Make thumbnails: the latest request first, and the others in idle time."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from cutline.errors import PictureError
from cutline.imaging import Picture
from cutline.imaging.thumbnails import colored_jpeg
from cutline.processors import usable_processors
from cutline.records import Location
from cutline.studio.thumbnail_store import PictureVersion, ThumbnailStore

SIDE: Final = 320  # pixels
_IDLE: Final = 0.5  # seconds without a request
_BATCH: Final = 16

_LASTING: Final = {"decode", "unsupported", "too-large"}  # problems of the content, not of its place


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thumbnail:
    """A JPEG, or the ``problem`` of a picture that cannot be shown."""

    data: bytes = b""
    problem: str = ""


Locate = Callable[[int], Location]
"""The location of a row's picture; raises PictureError."""
Request = tuple[PictureVersion, "concurrent.futures.Future[Thumbnail]"]


class Thumbnails:
    """Upright JPEGs of at most 320 pixels a side, from a store. For one event loop."""

    def __init__(self, store: ThumbnailStore) -> None:
        self._store = store
        self._requests: list[Request] = []
        self._problems: dict[PictureVersion, str] = {}  # a new start tries again, perhaps with more extras
        self._pool = concurrent.futures.ThreadPoolExecutor(
            max(2, usable_processors()), thread_name_prefix="thumbnails"
        )
        self._latest = 0.0
        self._held = 0
        self._filling: asyncio.Task[None] | None = None

    async def get(self, version: PictureVersion) -> Thumbnail:
        """The thumbnail of a picture; it is not made if the caller is cancelled before."""
        self._latest = time.monotonic()
        future: concurrent.futures.Future[Thumbnail] = concurrent.futures.Future()
        self._requests.append((version, future))
        self._pool.submit(self._make_latest)
        return await asyncio.wrap_future(future)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Mark a request as being served, which ends idle time."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            self._latest = time.monotonic()

    def colors(self, paths: Sequence[str]) -> dict[str, str]:
        """The average colours of pictures that have a thumbnail, as ``#rrggbb``; blocks."""
        return {path: f"#{color:06x}" for path, color in self._store.colors(paths).items()}

    def fill(self, count: int, locate: Locate, is_busy: Callable[[], bool]) -> None:
        """Make the thumbnails of all pictures in idle time, instead of those requested before."""
        if self._filling is not None:
            self._filling.cancel()
        self._filling = asyncio.create_task(self._fill(count, locate, is_busy))

    async def stop(self) -> None:
        """Stop making thumbnails in idle time."""
        if self._filling is not None:
            self._filling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._filling
            self._filling = None
        await asyncio.to_thread(self._store.close)

    def _make_latest(self) -> None:
        version, future = self._requests.pop()
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(self._make(version))
        except BaseException as error:  # noqa: BLE001 - it belongs to the one who waits
            future.set_exception(error)

    def _make(self, version: PictureVersion) -> Thumbnail:
        if version in self._problems:
            return Thumbnail(problem=self._problems[version])
        data = self._store.get(version)
        if data is None:
            try:
                data, color = colored_jpeg(Picture(version.location), SIDE)
            except PictureError as error:
                if error.kind in _LASTING:
                    self._problems[version] = error.kind
                return Thumbnail(problem=error.kind)
            self._store.put(version, data, color)
        return Thumbnail(data=data)

    def _is_wanted(self) -> bool:
        return bool(self._requests or self._held or time.monotonic() - self._latest < _IDLE)

    async def _fill(self, count: int, locate: Locate, is_busy: Callable[[], bool]) -> None:
        loop = asyncio.get_running_loop()
        for start in range(0, count, _BATCH):
            while self._is_wanted() or is_busy():  # noqa: ASYNC110 - time is what ends it
                await asyncio.sleep(_IDLE)
            if not await loop.run_in_executor(
                self._pool, self._make_all, range(start, min(start + _BATCH, count)), locate
            ):
                break
        await loop.run_in_executor(self._pool, self._store.flush)

    def _make_all(self, rows: Iterable[int], locate: Locate) -> bool:
        for row in rows:
            with contextlib.suppress(OSError, PictureError):
                self._make(PictureVersion.of(locate(row)))
        return not self._store.is_full
