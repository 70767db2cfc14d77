"""The studio's open dataset, and its events for the pages."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import secrets
import shlex
from collections.abc import Sequence
from typing import Any, Final

from cutline.app_dirs import cache_dir, state_dir
from cutline.dataset.dataset import Dataset
from cutline.dataset.history import History
from cutline.dataset.lint_list import LintList
from cutline.dataset.preview import Preview
from cutline.dataset.records import EditRecord
from cutline.dataset.set_comparison import SetComparison
from cutline.dataset.words import DatasetWords
from cutline.dataset.writer import StopEdit
from cutline.errors import CutlineError
from cutline.files import name_to_text
from cutline.service.errors import ServiceError
from cutline.studio.events import Events
from cutline.studio.generation.generations import Generations
from cutline.studio.jobs import Jobs
from cutline.studio.listed_dataset import ListedDataset
from cutline.studio.map_session import MapSession
from cutline.studio.numbered import Numbered
from cutline.studio.preferences import Preferences, Recent
from cutline.studio.recognition import Recognition
from cutline.studio.settings import NoPictures, StudioSettings
from cutline.studio.thumbnail_store import ThumbnailStore
from cutline.studio.thumbnails import Thumbnails

_SHOW: Final = 0.3  # seconds between two numbers of a listing
_WATCH: Final = 1.0  # seconds between two looks at the history that other processes write too


@dataclasses.dataclass(slots=True)
class Reading:
    """How many captions of a dataset are read; ``problem``: why reading stopped."""

    rows: int = 0
    is_done: bool = False
    problem: str = ""


class Workspace:
    """Opens datasets, and notifies the pages."""

    def __init__(self, events: Events, settings: StudioSettings, empty: str | None = None) -> None:
        """``empty``: a folder to open that has no pictures."""
        self.events = events
        self.settings = settings
        self.generations = Generations(settings)
        self._forget()
        self.jobs = Jobs(events, self.publish_changes)
        self._dataset: Dataset | None = None
        self._words: DatasetWords | None = None
        self._map: MapSession | None = None
        self._reading = Reading()
        self._task: asyncio.Task[None] | None = None
        self._watching: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._is_closing = False
        self._opening = asyncio.Lock()
        self._pages_opening = 0
        self._listing: ListedDataset | None = None
        self.problem = ""
        self._empty = empty
        self.preferences = Preferences(state_dir() / "studio.json")
        self._token = ""
        self.recognition = Recognition()
        self.thumbnails = Thumbnails(ThumbnailStore(cache_dir() / "thumbnails.sqlite"))

    def _forget(self) -> None:
        """Reset previews and comparisons, which belong to the closed rows."""
        self.previews: Numbered[Preview] = Numbered(4, "this preview has expired: make it again")
        self.comparisons: Numbered[SetComparison] = Numbered(
            8, "this comparison has expired: open it again; its picks are saved"
        )
        self.findings: Numbered[LintList] = Numbered(4, "these findings have expired: check again")
        self.colors: Numbered[bytes] = Numbered(8, "these colours have expired: choose them again")

    @property
    def dataset(self) -> Dataset:
        """Raises ServiceError 409: none is open."""
        if self._dataset is None:
            raise ServiceError(409, "no folder is open")
        return self._dataset

    @property
    def words(self) -> DatasetWords:
        """The words of the open dataset. ServiceError 409: none is open."""
        if self._words is None:
            raise ServiceError(409, "no folder is open")
        return self._words

    @property
    def map(self) -> MapSession:
        """The map of the open dataset. ServiceError 409: none is open."""
        if self._map is None:
            raise ServiceError(409, "no folder is open")
        return self._map

    def may_open(self, folder: str) -> bool:
        return self.settings.may_open(folder)

    def check_place(self, folder: str) -> None:
        """Raises ServiceError 403: the folder is not below the roots."""
        if not self.may_open(folder):
            raise ServiceError(403, self.outside(folder))

    def outside(self, folder: str) -> str:
        """Why a folder cannot be opened, and the command that allows it."""
        parent = shlex.quote(name_to_text(os.path.dirname(os.path.abspath(folder.replace("\0", "")))))  # noqa: PTH100, PTH120 - a string
        return (
            "only folders below those that --root names can be opened here: start the studio again with "
            f"`cutline studio {shlex.quote(name_to_text(folder))} --root {parent}`"
        )

    async def open(self, folder: str, **options: Any) -> None:
        """Open a folder below the roots; ``options`` override the studio's settings.

        Raises:
            ConfigError: it is not a folder of pictures; the current one stays open. ServiceError: 403, it is
            not below the roots.
        """
        self.check_place(folder)
        self._pages_opening += 1
        try:
            await self.take(ListedDataset(dataclasses.replace(self.settings, **options), folder))
        finally:
            self._pages_opening -= 1

    async def take(self, opening: ListedDataset) -> Dataset:
        """Show a dataset once it is listed; pages see the progress. Raises as ``open``."""
        async with self._opening:
            self._listing = opening
            self.events.publish("state", **self.state())
            try:
                dataset = await self._listed(opening)
            except NoPictures:
                self._empty = opening.folder
                raise
            finally:
                opening.stop()
                self._listing = None
                self.events.publish("state", **self.state())
            await self.show(dataset, opening.settings)
            return dataset

    async def _listed(self, opening: ListedDataset) -> Dataset:
        found = asyncio.wrap_future(opening.result)
        shown = 0
        while True:
            done, _ = await asyncio.wait([found], timeout=_SHOW)
            if done:
                return found.result()
            if opening.listed != shown:
                shown = opening.listed
                self.events.publish("state", **self.state())

    @property
    def is_in_use(self) -> bool:
        """Whether a page has opened, or is opening, another folder than the command's, or runs a job."""
        return self._dataset is not None or self._pages_opening > 0 or self.jobs.is_running

    def fail(self, error: Exception) -> None:
        """Show on the pages why the command's folder could not be opened."""
        if not isinstance(error, NoPictures):
            self.problem = str(error)
        self.events.publish("state", **self.state())

    async def show(self, dataset: Dataset, settings: StudioSettings | None = None) -> None:
        """Show a dataset, opened with these settings, and read its captions in the background."""
        await self.close()
        used = settings or self.settings
        self._note_recent(dataset.folder, used)
        self._is_closing = False
        self._dataset, self._reading = dataset, Reading()
        self._forget()
        self._words = DatasetWords(dataset)
        self._map = MapSession(dataset, self._words, self.events)
        self._token = secrets.token_hex(8)
        self._closing = asyncio.Event()
        self._task = asyncio.create_task(self._read(dataset))
        self._watching = asyncio.create_task(self._watch(dataset, self._closing))
        self.events.publish("opened", **self.state())

    async def close(self) -> None:
        self._is_closing = True
        self._closing.set()
        await self.jobs.aclose()
        await self.generations.close()
        if self._task is not None:
            await self._task
        if self._watching is not None:
            await self._watching
        await self.thumbnails.stop()
        if self._dataset is not None:
            self._dataset.close()
        self._dataset = self._words = self._map = self._task = self._watching = None

    def publish_changes(self, rows: Sequence[int] | None = None) -> None:
        """Notify the pages of changed captions or marks of these rows, or of any."""
        self.events.publish("changed", changed=rows, **self.state())

    def state(self) -> dict[str, Any]:
        """The initial state of a page."""
        if self._dataset is None:
            empty = None if self._empty is None else name_to_text(self._empty)
            return {"folder": None, "empty": empty, "failed": self.problem, **self._listing_state()}
        dataset, reading = self._dataset, self._reading
        undoable = dataset.history.undoable()
        return {
            "folder": name_to_text(dataset.folder),
            **self._listing_state(),
            "opening": self._token,
            "rows": len(dataset),
            "read": len(dataset.captions),
            "is_read": reading.is_done,
            "problem": reading.problem,
            "superseded": dataset.superseded[:100],
            "with_several": dataset.with_several,
            "proposals": len(dataset.proposals),
            "undo": _summary(undoable),
            "undo_edit": _origin(dataset.history, undoable),
            "redo": _summary(dataset.history.redoable()),
        }

    def _listing_state(self) -> dict[str, Any]:
        opening = self._listing
        if opening is None:
            return {"listing": None, "listed": 0}
        return {"listing": name_to_text(opening.folder), "listed": opening.listed}

    def _note_recent(self, folder: str, settings: StudioSettings) -> None:
        recent = Recent(
            folder=name_to_text(folder), sidecar_ext=settings.ending, one_a_line=settings.one_a_line
        )
        self.preferences.add_recent(recent)

    async def _watch(self, dataset: Dataset, closing: asyncio.Event) -> None:
        """Notify the pages of edits by other processes, such as `cutline undo`."""
        seen = dataset.foreign_edits
        while not closing.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(closing.wait(), _WATCH)
                return
            with contextlib.suppress(CutlineError):  # told by what the user does next
                await asyncio.to_thread(dataset.catch_up)
            if dataset.foreign_edits != seen:
                seen = dataset.foreign_edits
                self.publish_changes()

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
        self.thumbnails.fill(len(dataset), dataset.location, lambda: self.jobs.is_running)


def _summary(record: Any) -> str | None:
    return record.info.summary if record is not None else None


def _origin(history: History, record: EditRecord | None) -> int | None:
    """The original edit of a redo, through any number of undos and redos."""
    while record is not None and record.info.kind in {"undo", "redo"} and record.info.target is not None:
        record = history.edit(record.info.target)
    return record.id if record is not None else None
