"""Pictures inside a tar, a zip or a table, by the keys that a run of it gave them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

from cutline.dataset.table_cells import TableCell, TableCells
from cutline.errors import CutlineError, PictureError
from cutline.formatting import stored_key
from cutline.locations.stored import InlineBytes
from cutline.records import JSON, Location
from cutline.serialization import decode_object
from cutline.sources import SourceOptions, detect, open_source
from cutline.sources.table import TableSource
from cutline.storage import is_remote

_JOURNAL: Final = "journal.jsonl"
_RUN: Final = b'{"run":'
_SEPARATE: Final = {"local", "urls"}  # inputs whose pictures are files or downloads


@dataclasses.dataclass(frozen=True, slots=True)
class RecordedInput:
    """The input of a run, and the options by which its pictures have their keys."""

    path: str
    options: SourceOptions = dataclasses.field(default_factory=SourceOptions)

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """That of the settings in a journal."""
        path = settings.get("input")
        return cls(path if isinstance(path, str) else "", SourceOptions.from_recorded(settings.get("source")))

    def pictures(self) -> Iterator[tuple[str, Location]]:
        """Every picture with its key; those in the cells of a table are read on demand.

        Raises:
            CutlineError, OSError, ValueError: the input cannot be read.
        """
        source = open_source(self.path, self.options)
        if isinstance(source, TableSource) and source.holds_bytes:
            cells: dict[str, TableCells] = {}
            for key, file, row in source.cells():
                if file not in cells:
                    cells[file] = TableCells(file, source.column, self.options)
                yield key, TableCell(cells[file], row)
            return
        for sample in source.samples():
            if sample.location is not None:
                yield sample.key, sample.location


class HeldPictures:
    """Lists an input the first time that a picture is looked up. Thread-safe."""

    def __init__(self, recorded: Callable[[], RecordedInput]) -> None:
        """``recorded`` returns the input; with an empty path if there is none."""
        self._recorded = recorded
        self._guard = threading.Lock()
        self._found: dict[str, Location] | None = None

    def find(self, key: str) -> Location | None:
        """The picture; None if the input does not hold it, or cannot be read."""
        with self._guard:
            if self._found is None:
                self._found = {}
                with contextlib.suppress(CutlineError, OSError, ValueError):
                    for name, location in _held(self._recorded()):
                        self._found[stored_key(name)] = location
            return self._found.get(stored_key(key))


@dataclasses.dataclass(frozen=True, slots=True)
class HeldPicture(Location):
    """A picture that is looked up once it is read; where the input lacks it, the one that its row names."""

    pictures: HeldPictures
    key: str
    name: str
    other: Location | PictureError

    @property
    def path(self) -> str:
        return self.name if isinstance(self.other, PictureError) else self.other.path

    def read(self) -> bytes:
        place = self._place()
        if isinstance(place, PictureError):
            raise place
        return place.read()

    def file(self) -> str | None:
        place = self._place()
        return None if isinstance(place, PictureError) else place.file()

    def content_id(self) -> str:
        place = self._place()
        return "" if isinstance(place, PictureError) else place.content_id()

    def _place(self) -> Location | PictureError:
        return self.pictures.find(self.key) or self.other


def run_pictures(state: Path, roots: Sequence[str] | None) -> HeldPictures | None:
    """Those of the input that the last run with this state folder read; None without a run.

    ``roots``: the folders in which the input may lie, as a state folder can name any; None for any.
    """
    journal = state / _JOURNAL
    return HeldPictures(lambda: _allowed(_input_of(journal), roots)) if journal.is_file() else None


def _allowed(recorded: RecordedInput, roots: Sequence[str] | None) -> RecordedInput:
    """The input; an empty one where it lies in none of the roots, after links were followed."""
    if not recorded.path or roots is None or is_remote(recorded.path):
        return recorded
    real = Path(recorded.path).resolve()
    is_within = any(real.is_relative_to(Path(root).resolve()) for root in roots)
    return recorded if is_within else RecordedInput("")


def _input_of(journal: Path) -> RecordedInput:
    settings: JSON = {}
    with journal.open("rb") as lines:
        for line in lines:
            run = (decode_object(line) or {}).get("run") if line.startswith(_RUN) else None
            settings = run if isinstance(run, dict) else settings
    return RecordedInput.of(settings)


def _held(recorded: RecordedInput) -> Iterator[tuple[str, Location]]:
    """The pictures that are not files or downloads of their own."""
    path = recorded.path
    if not path or is_remote(path) or detect(path, recorded.options) in _SEPARATE:
        return
    for key, location in recorded.pictures():
        if not (location.file() or location.url() or isinstance(location, InlineBytes)):
            yield key, location
