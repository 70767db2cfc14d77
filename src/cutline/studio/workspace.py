"""The dataset that the studio has open, and what its pages are to know of it."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
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
    """How far the captions of a dataset are read; ``problem``: why no further."""

    rows: int = 0
    is_done: bool = False
    problem: str = ""


class Workspace:
    """Opens datasets and tells the pages of it."""

    def __init__(self, events: Events, settings: StudioSettings, empty: str | None = None) -> None:
        """``empty``: a folder that was to be opened, and has no pictures."""
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
        self._listing: ListedDataset | None = None
        self.problem = ""
        self._empty = empty
        self.preferences = Preferences(state_dir() / "studio.json")
        self._token = ""
        self.recognition = Recognition()
        self.thumbnails = Thumbnails(ThumbnailStore(cache_dir() / "thumbnails.sqlite"))

    def _forget(self) -> None:
        """Previews and comparisons are of the rows that were open."""
        self.previews: Numbered[Preview] = Numbered(4, "this preview is not kept any more: make it anew")
        self.comparisons: Numbered[SetComparison] = Numbered(
            8, "this comparison is not open any more: open it again; its picks are kept"
        )
        self.findings: Numbered[LintList] = Numbered(4, "these findings are not kept any more: check again")
        self.colors: Numbered[bytes] = Numbered(8, "these colours are not kept any more: choose them again")

    @property
    def dataset(self) -> Dataset:
        """ServiceError 409: none is open."""
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
        """ServiceError 403: the folder is not below the roots."""
        if not self.may_open(folder):
            raise ServiceError(403, "only folders below those that --root names can be opened here")

    async def open(self, folder: str, **options: Any) -> None:
        """Open a folder below the roots; ``options`` are settings that differ from the studio's.

        Raises:
            ConfigError: it is no folder of pictures; what was open stays so.
            ServiceError: 403, it is elsewhere.
        """
        self.check_place(folder)
        await self.take(ListedDataset(dataclasses.replace(self.settings, **options), folder))

    async def take(self, opening: ListedDataset) -> Dataset:
        """Show what is being opened, once it is listed; the pages see how far that is. Raises as ``open``."""
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

    def fail(self, error: CutlineError) -> None:
        """Let the pages say why the folder of the command could not be opened."""
        if not isinstance(error, NoPictures):
            self.problem = str(error)
        self.events.publish("state", **self.state())

    async def show(self, dataset: Dataset, settings: StudioSettings | None = None) -> None:
        """Take over a dataset, opened with these settings; its captions are read in the background."""
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
        """Tell the pages that captions or marks have changed: of these rows, or of any."""
        self.events.publish("changed", changed=rows, **self.state())

    def state(self) -> dict[str, Any]:
        """What a page shows first."""
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
        """Tell the pages of edits by other processes, such as `cutline undo`."""
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
    """The edit that a record applies again, however often it was undone and redone."""
    while record is not None and record.info.kind in {"undo", "redo"} and record.info.target is not None:
        record = history.edit(record.info.target)
    return record.id if record is not None else None
