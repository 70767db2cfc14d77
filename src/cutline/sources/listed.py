"""Pictures that a program already holds: paths, URLs, bytes or Pillow images, in a list."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeGuard

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.interfaces import Source
from cutline.locations.stored import InlineBytes, LocalFile, RemoteFile
from cutline.records import Location, Problem, Sample
from cutline.sources.names import UniqueKeys
from cutline.sources.parts import Part
from cutline.storage import is_http

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "HSV"})


class ListedSource(Source):
    """Keys are the paths and URLs as given, and ``picture-1``, ``picture-2`` … for the rest."""

    def __init__(self, items: Sequence[Any], part: Part = Part()) -> None:  # noqa: B008 - frozen
        """``items`` are those of ``part`` alone."""
        self._items = items
        self._part = part
        for item in items:
            _check(item)

    def samples(self) -> Iterator[Sample]:
        keys = UniqueKeys(self._part.taken)
        for number, item in enumerate(self._items, self._part.start + 1):
            name = _name(item, number)
            yield Sample(key=keys.unique(name), location=_locate(item, name))

    def shards(self, count: int) -> list[ListedSource]:
        first = self._part.start
        names = (_name(item, number) for number, item in enumerate(self._items, first + 1))
        parts = self._part.split(len(self._items), count, names)
        return [ListedSource(self._items[part.start - first : part.stop - first], part) for part in parts]

    @property
    def has_stable_names(self) -> bool:
        """Whether the same call later would give every picture the same key."""
        return all(isinstance(item, str | os.PathLike) for item in self._items)

    def count(self) -> int:
        return len(self._items)

    @property
    def has_repeats(self) -> bool:
        return True


def sample_of(item: Any, number: int) -> Sample:
    """One picture by itself; Pillow images are encoded at once, as they may change later.

    Raises:
        ConfigError: it is not a picture.
    """
    _check(item)
    name = _name(item, number)
    try:
        return Sample(key=name, location=_locate(item, name))
    except (OSError, ValueError, SyntaxError) as error:  # Pillow's, as it reads the file only now
        return Sample(key=name, location=None, problem=Problem(kind="decode", message=f"{name}: {error}"))


def _check(item: Any) -> None:
    if not isinstance(item, str | os.PathLike | bytes | bytearray) and not hasattr(item, "save"):
        kind = type(item).__name__
        raise ConfigError(f"cannot caption a {kind}: give paths, URLs, bytes or Pillow images")


def _name(item: Any, number: int) -> str:
    if not isinstance(item, str | os.PathLike):
        return f"picture-{number}"
    path = os.fspath(item)
    return path if _is_url(path) else name_to_text(Path(os.fsdecode(path)).as_posix())


def _locate(item: Any, name: str) -> Location:
    if isinstance(item, bytes | bytearray):
        return InlineBytes(bytes(item), name)
    if isinstance(item, str | os.PathLike):
        path = os.fspath(item)
        return RemoteFile(path) if _is_url(path) else LocalFile(os.fsdecode(path))
    return InlineBytes(_encoded(item), name)


def _is_url(path: str | bytes) -> TypeGuard[str]:
    return isinstance(path, str) and is_http(path)


def _encoded(image: Any) -> bytes:
    """A Pillow image as a file without loss, with the orientation that its own file had."""
    buffer = io.BytesIO()
    kind = "PNG" if image.mode in _PNG_MODES else "TIFF"
    whole = image.convert("RGB") if image.mode == "HSV" else image
    whole.save(buffer, kind, exif=image.getexif())
    return buffer.getvalue()
