"""The dataset that the studio has open, and what its pages are to know of it."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from typing import Any

from cutline.app_dirs import cache_dir
from cutline.dataset.dataset import Dataset
from cutline.dataset.writer import StopEdit
from cutline.errors import CutlineError
from cutline.service.errors import ServiceError
from cutline.studio.events import Events
from cutline.studio.jobs import Jobs
from cutline.studio.previews import Previews
from cutline.studio.settings import StudioSettings
from cutline.studio.thumbnail_store import ThumbnailStore
from cutline.studio.thumbnails import Thumbnails


@dataclasses.dataclass(slots=True)
class Reading:
    """How far the captions of a dataset are read; ``problem``: why no further."""

    rows: int = 0
    is_done: bool = False
    problem: str = ""


class Workspace:
    """Opens datasets and tells the pages of it."""

    def __init__(self, events: Events, settings: StudioSettings) -> None:
        self.events = events
        self._settings = settings
        self.previews = Previews()
        self.jobs = Jobs(events, self.publish_changes)
        self._dataset: Dataset | None = None
        self._reading = Reading()
        self._task: asyncio.Task[None] | None = None
        self._is_closing = False
        self.thumbnails = Thumbnails(ThumbnailStore(cache_dir() / "thumbnails.sqlite"))

    @property
    def dataset(self) -> Dataset:
        """ServiceError 409: none is open."""
        if self._dataset is None:
            raise ServiceError(409, "no folder is open")
        return self._dataset

    async def open(self, folder: str) -> None:
        """Open a folder below the roots. ConfigError: it is none; ServiceError 403: it is elsewhere."""
        if not self._settings.may_open(folder):
            raise ServiceError(403, "only folders below those that --root names can be opened here")
        await self.show(await asyncio.to_thread(self._settings.open, folder))

    async def show(self, dataset: Dataset) -> None:
        """Take over a dataset; its captions are read in the background."""
        await self.close()
        self._is_closing = False
        self._dataset, self._reading, self.previews = dataset, Reading(), Previews()
        self._task = asyncio.create_task(self._read(dataset))
        self.events.publish("opened", **self.state())

    async def close(self) -> None:
        self._is_closing = True
        await self.jobs.aclose()
        if self._task is not None:
            await self._task
        await self.thumbnails.stop()
        if self._dataset is not None:
            self._dataset.close()
        self._dataset = self._task = None

    def publish_changes(self, rows: Sequence[int] | None = None) -> None:
        """Tell the pages that captions or marks have changed: of these rows, or of any."""
        self.events.publish("changed", changed=rows, **self.state())

    def state(self) -> dict[str, Any]:
        """What a page shows first."""
        if self._dataset is None:
            return {"folder": None}
        dataset, reading = self._dataset, self._reading
        return {
            "folder": dataset.folder,
            "rows": len(dataset),
            "read": len(dataset.captions),
            "is_read": reading.is_done,
            "problem": reading.problem,
            "proposals": len(dataset.proposals),
            "undo": _summary(dataset.history.undoable()),
            "redo": _summary(dataset.history.redoable()),
        }

    async def _read(self, dataset: Dataset) -> None:
        def progress(rows: int) -> None:
            if self._is_closing:
                raise StopEdit
            self._reading.rows = rows
            self.events.publish("reading", rows=rows)

        try:
            await asyncio.to_thread(dataset.read_texts, progress)
            self._reading.is_done = True
        except StopEdit:
            return
        except CutlineError as error:
            self._reading.problem = str(error)
        self.events.publish("state", **self.state())
        self.thumbnails.fill(
            [dataset.picture(row) for row in range(len(dataset))], lambda: self.jobs.is_running
        )


def _summary(record: Any) -> str | None:
    return record.info.summary if record is not None else None
