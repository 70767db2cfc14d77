"""Pictures that a program already holds: paths, URLs, bytes, images or rows of a table, in a list."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.imaging.picture_objects import encoded
from cutline.interfaces import Source
from cutline.locations.remote_versions import RemoteVersions
from cutline.locations.stored import InlineBytes, RemoteObject, named_location
from cutline.records import Location, Problem, Sample
from cutline.sources.given_rows import GivenRow
from cutline.sources.names import UniqueKeys
from cutline.sources.parts import Part
from cutline.storage import is_remote, named_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class ListedSource(Source):
    """Keys are the paths and URLs as given, names in rows, and ``picture-1`` … for the rest."""

    def __init__(self, items: Sequence[Any], part: Part = Part()) -> None:  # noqa: B008 - frozen
        """``items`` are those of ``part`` alone."""
        self._items = items
        self._part = part

    def samples(self) -> Iterator[Sample]:
        keys, versions = UniqueKeys(self._part.taken), RemoteVersions()
        for number, item in enumerate(self._items, self._part.start + 1):
            key = keys.unique(_name(item) or f"picture-{number}")
            try:
                sample = sample_of(item, number)
                where = sample.location
                if isinstance(where, RemoteObject):
                    where = dataclasses.replace(where, version=versions.version(where.name))
                yield dataclasses.replace(sample, key=key, location=where)
            except ConfigError as error:  # not a picture: it fails by itself
                problem = Problem(kind="unsupported", message=f"{key}: {error}")
                yield Sample(key=key, location=None, problem=problem)

    def shards(self, count: int) -> list[ListedSource]:
        first = self._part.start
        names = (_name(item) or f"picture-{at}" for at, item in enumerate(self._items, first + 1))
        parts = self._part.split(len(self._items), count, names)
        return [ListedSource(self._items[part.start - first : part.stop - first], part) for part in parts]

    @property
    def has_stable_names(self) -> bool:
        """Whether the same call later would give every picture the same key."""
        return all(map(_name, self._items))

    def count(self) -> int:
        return len(self._items)

    @property
    def has_repeats(self) -> bool:
        return True


def sample_of(item: Any, number: int) -> Sample:
    """One picture by itself; Pillow images and arrays are encoded at once, as they may change later.

    Raises:
        ConfigError: it is not a picture.
    """
    name = _name(item) or f"picture-{number}"
    if isinstance(item, Mapping):
        row = GivenRow.of(item)
        found = sample_of(row.picture, number)
        return dataclasses.replace(found, key=name, text=row.text, metadata=row.metadata)
    try:
        return Sample(key=name, location=_locate(item, name))
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's, as it reads the file only now
        return Sample(key=name, location=None, problem=Problem(kind="decode", message=f"{name}: {error}"))


def _name(item: Any) -> str:
    """What the picture is called; empty for one without a name."""
    if isinstance(item, Mapping):
        try:
            return GivenRow.of(item).name
        except ConfigError:
            return ""
    if not isinstance(item, str | os.PathLike):
        return ""
    path = os.fsdecode(item)
    return path if is_remote(path) else name_to_text(Path(named_path(path)).as_posix())


def _locate(item: Any, name: str) -> Location:
    if isinstance(item, str | os.PathLike):
        return named_location(os.fsdecode(item))
    data = encoded(item)
    if data is None:
        kind = type(item).__name__
        raise ConfigError(f"cannot caption a {kind}: give paths, URLs, bytes, Pillow images or arrays")
    return InlineBytes(data, name)
