"""CrisisMMD v2.0: pictures of seven disasters, with tweets and labels from tab-separated files.

Alam, Ofli and Imran: CrisisMMD: Multimodal Twitter Datasets from Natural Disasters, ICWSM 2018.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.locations.roots import ImageRoot
from cutline.records import Problem, Sample
from cutline.sources.cells import metadata
from cutline.sources.crisismmd_files import Annotated, Dataset, read_rows
from cutline.sources.names import UniqueKeys
from cutline.sources.options import SourceOptions
from cutline.sources.parts import RowSource, copy_with, sample_at
from cutline.sources.rows import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE_COLUMNS = ("image", "image_path")
# Labels of the picture come before those of the tweet.
LABEL_COLUMNS = ("label_image", "label", "image_human", "image_info", "image_damage")


class CrisisMmdSource(RowSource):
    """A sample for each picture in the annotations; the tweet and all labels are its metadata.

    The key is the path relative to the dataset; a picture that comes again is a skip. ``label`` is the
    picture's own label where there is one; the row's other ``label`` is then ``row_label``.
    """

    takes: ClassVar[frozenset[str]] = frozenset({"split", "event", "image_root", "follow_links"})

    def __init__(self, path: str, options: SourceOptions | None = None) -> None:
        """Raises ConfigError when there is no such dataset, split, event or column of pictures."""
        super().__init__(path, options)
        options = self._options
        dataset = Dataset.at(path)
        self._images = ImageRoot(options.image_root or str(dataset.root), follow_links=options.follow_links)
        self._has_folder = not options.image_root and (dataset.root / "data_image").is_dir()
        self._folder = Path(options.image_root or dataset.root)
        self._events = dataset.checked_events(options.event)
        self._files = [
            file for file in dataset.files(options.split) if not (file.event and self._left_out(file.event))
        ]
        if not self._files:
            raise ConfigError(f"there are no annotations of {', '.join(self._events)}; --split reads others")
        self._columns = {file.path: _image_column(file) for file in self._files}

    def _no_rows(self) -> str:
        events = f" of {', '.join(self._events)}" if self._events else ""
        return f"{self._files[0].path} and the files like it hold no row{events}"

    def count(self) -> int:
        return sum(1 for _ in self._rows())

    def shards(self, count: int) -> list[Self]:
        keys = (self._key(*row) for row in self._rows())
        return [copy_with(self, _part=part) for part in self._part.split(self.count(), count, keys)]

    def _rows(self) -> Iterator[tuple[str, dict[str, Any] | BadRow, Annotated]]:
        return itertools.islice(self._all_rows(), self._part.start, self._part.stop)

    def _all_rows(self) -> Iterator[tuple[str, dict[str, Any] | BadRow, Annotated]]:
        """Rows of the wanted events, each with the place that names it where nothing else does."""
        for file in self._files:
            for number, row in enumerate(read_rows(file), 2):
                event = row.get("event_name") if isinstance(row, dict) else None
                if not (event and self._left_out(event)):
                    yield f"{file.path.name}:{number}", row, file

    def _left_out(self, event: str) -> bool:
        return bool(self._events) and event not in self._events

    def _sample(self, keys: UniqueKeys, *values: Any) -> Sample:
        place, row, file = values
        if isinstance(row, BadRow):
            number = place.rpartition(":")[2]
            message = f"{name_to_text(str(file.path))}: row {number}: {row.message}"
            return sample_at(keys.unique(place), Problem(kind="bad-row", message=message))
        data = _labelled(metadata(row))
        name = self._name(row, file)
        if not name:
            nothing = Problem(kind="no-image", message="the row holds no picture", skip=True)
            return sample_at(keys.unique(place), nothing, metadata=data)
        key, found = self._images.find(self._within(name), place)
        unique = keys.unique(key)
        if unique != key and not isinstance(found, Problem):
            found = Problem(kind="duplicate", message="the same picture came before", skip=True)
        return sample_at(unique, found, metadata=data)

    def _key(self, place: str, row: dict[str, Any] | BadRow, file: Annotated) -> str:
        """The row's key, unless an earlier one has it."""
        name = "" if isinstance(row, BadRow) else self._name(row, file)
        return self._images.find(self._within(name), place)[0] if name else place

    def _name(self, row: dict[str, Any], file: Annotated) -> str:
        return row.get(self._columns[file.path]) or ""

    def _within(self, name: str) -> str:
        """The path from the dataset's root, for copies that tell it from ``data_image`` on."""
        inside = name.startswith("data_image/") or not self._has_folder
        if inside or "\0" in name or (self._folder / name).exists():
            return name
        return f"data_image/{name}" if (self._folder / "data_image" / name).exists() else name


def _image_column(file: Annotated) -> str:
    for name in IMAGE_COLUMNS:
        if name in file.columns:
            return name
    known = ", ".join(map(repr, itertools.islice(file.columns, 40)))
    raise ConfigError(f"{file.path} has no column 'image' or 'image_path'; it has {known}")


def _labelled(data: dict[str, Any]) -> dict[str, Any]:
    label = next((data[name] for name in LABEL_COLUMNS if data.get(name)), None)
    if label is None:
        return data
    other = data.get("label")
    return {**data, "label": label, **({"row_label": other} if other and other != label else {})}
