"""Where CrisisMMD's tab-separated files lie, and their rows."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError, SourceError
from cutline.formatting import one_line
from cutline.sources.input_files import dataset_folder, open_binary
from cutline.sources.rows import MAX_LINE_BYTES, BadRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

PARTS = ("train", "dev", "test")
_SPLIT_FILE = re.compile(r"task_([a-z]+)_text_img_(?:[a-z_]+_)?([a-z]+)\.tsv")
_ANNOTATIONS = re.compile(r"(.+?)(?:_final_data)?\.tsv")
_ALL = "crisismmd_datasplit_all"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Annotated:
    """One tab-separated file; ``event`` where all its rows are of one."""

    path: Path
    columns: tuple[str, ...]
    event: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """The folder that the pictures' paths start from, the one that holds ``data_image``."""

    root: Path

    @classmethod
    def at(cls, path: str) -> Dataset:
        """The dataset in a folder or just below it, as archives are unpacked; ConfigError: there is none."""
        folder = dataset_folder(path, "CrisisMMD")
        if not folder.is_dir():
            raise ConfigError(f"{path} is a file: give the folder of the dataset, CrisisMMD_v2.0")
        below = _folders(folder)
        for place in (folder, *([folder.parent] if folder.name == "data_image" else []), *below):
            if any((place / name).is_dir() for name in ("data_image", "annotations")):
                return cls(root=place)
        if _split_files(folder):
            return cls(root=folder)
        raise ConfigError(
            f"{path} is not a CrisisMMD: it has neither data_image nor annotations nor task_*_text_img_*.tsv"
        )

    def files(self, split: str | None) -> list[Annotated]:
        """The files of a split (``task``, ``task/part`` or ``folder/task/part``), else of all events.

        ConfigError: there is no such split, the message lists those there are; or a file cannot be read.
        """
        return self._split(split) if split is not None else self._annotations()

    def checked_events(self, wanted: Iterable[str]) -> list[str]:
        """The events in ``wanted``, also with commas; ConfigError for one that the dataset lacks."""
        events = [name.strip() for item in wanted for name in item.split(",") if name.strip()]
        known = {event for event, _ in self._by_event()}
        known |= {folder.name for folder in _folders(self.root / "data_image")}
        unknown = [event for event in events if event not in known]
        if unknown and known:
            raise ConfigError(f"there is no event {unknown[0]!r}; there are {', '.join(sorted(known))}")
        return events

    def _annotations(self) -> list[Annotated]:
        found = [
            Annotated(path=path, columns=read_header(path), event=event) for event, path in self._by_event()
        ]
        if not found:
            known = _shown(self._by_split())
            raise ConfigError(f"{self.root} has no annotations/*.tsv; name a --split: {known}")
        return found

    def _by_event(self) -> list[tuple[str, Path]]:
        matches = [(_ANNOTATIONS.fullmatch(path.name), path) for path in _tables(self.root / "annotations")]
        return [(match[1], path) for match, path in matches if match]

    def _split(self, split: str) -> list[Annotated]:
        by_folder = self._by_split()
        known = _shown(by_folder)
        if not by_folder:
            raise ConfigError(
                f"--split {split}: no task_*_text_img_*.tsv is in {self.root} or in a folder beside it"
            )
        folder, _, rest = split.partition("/")
        named = any(place.name == folder for place in by_folder)
        place = self._folder_of(by_folder, folder if named else "", known)
        task, _, part = (rest if named else split).partition("/")
        files = [
            path for (its_task, its_part), path in by_folder[place].items()
            if its_task == task and part in {"", its_part}
        ]  # fmt: skip
        if not files:
            raise ConfigError(f"there is no split {split!r}; there are {known}")
        return [Annotated(path=path, columns=read_header(path)) for path in files]

    @staticmethod
    def _folder_of(by_folder: dict[Path, dict[tuple[str, str], Path]], name: str, known: str) -> Path:
        named = [place for place in by_folder if place.name == (name or _ALL)]
        if named:
            return named[0]
        if len(by_folder) > 1:
            raise ConfigError(f"name the folder and the split that are meant; there are {known}")
        return next(iter(by_folder))

    def _by_split(self) -> dict[Path, dict[tuple[str, str], Path]]:
        """The split files by folder, and there by task and part, the parts in their usual order."""
        folders = [self.root]
        around = _folders(self.root.absolute().parent)
        beside = [place for place in around if "datasplit" in place.name.lower()]
        for place in [*_folders(self.root), *beside]:
            if place.name not in {"data_image", "annotations", "json"} and place not in folders:
                folders += [place, *_folders(place)]
        return {place: files for place in folders if (files := _split_files(place))}


def read_header(path: Path) -> tuple[str, ...]:
    """The column names; ConfigError for a file without them."""
    with open_binary(str(path)) as file:
        first = _decoded(file.readline(MAX_LINE_BYTES))
    columns = tuple(name.strip() for name in first.split("\t"))
    if len(columns) < 2:
        raise ConfigError(f"{path} is not a table: its first line must name the columns, separated by tabs")
    return columns


def read_rows(file: Annotated) -> Iterator[dict[str, Any] | BadRow]:
    """Every line as a row; quotes have no meaning. SourceError: it cannot be read to its end."""
    with open_binary(str(file.path)) as lines:
        try:
            lines.readline(MAX_LINE_BYTES)
            for line in iter(lambda: lines.readline(MAX_LINE_BYTES), b""):
                if text := _decoded(line):
                    yield _row(file, text)
        except OSError as error:
            raise SourceError(f"{file.path}: {one_line(error)}") from error


def _row(file: Annotated, line: str) -> dict[str, Any] | BadRow:
    names, fields = file.columns, line.split("\t")
    surplus = len(fields) - len(names)
    if surplus > 0 and "tweet_text" in names:  # the only column of free text
        at = names.index("tweet_text")
        fields[at : at + surplus + 1] = ["\t".join(fields[at : at + surplus + 1])]
    if len(fields) != len(names):
        return BadRow(f"{len(fields)} fields where the header has {len(names)}")
    row = {name: field.strip() or None for name, field in zip(names, fields, strict=True)}
    return {**row, "event_name": file.event} if file.event else row


def _decoded(line: bytes) -> str:
    """Bytes that are not UTF-8 are kept as surrogates, as Python does for file names."""
    return line.decode("utf-8-sig", errors="surrogateescape").rstrip("\r\n")


def _split_files(folder: Path) -> dict[tuple[str, str], Path]:
    found = {}
    for path in _tables(folder):
        if match := _SPLIT_FILE.fullmatch(path.name.lower().replace("-", "_")):
            found[match[1], match[2]] = path
    return dict(sorted(found.items(), key=lambda item: (item[0][0], _order(item[0][1]))))


def _order(part: str) -> tuple[int, str]:
    return (PARTS.index(part) if part in PARTS else len(PARTS), part)


def _tables(folder: Path) -> list[Path]:
    """The folder's tab-separated files without those that macOS leaves in archives."""
    return sorted(path for path in folder.glob("*.tsv") if not path.name.startswith("."))


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _shown(by_folder: dict[Path, dict[tuple[str, str], Path]]) -> str:
    """The splits as they can be typed; with their folder where several have the same."""
    several = len(by_folder) > 1 and not any(place.name == _ALL for place in by_folder)
    names = [
        f"{place.name}/{task}/{part}" if several else f"{task}/{part}"
        for place, files in by_folder.items()
        for task, part in files
        if several or len(by_folder) == 1 or place.name == _ALL
    ]
    others = [place.name for place in by_folder if not several and len(by_folder) > 1 and place.name != _ALL]
    more = f"; in front of these a folder can be named: {', '.join(others)}" if others else ""
    return (", ".join(names) or "none") + more
