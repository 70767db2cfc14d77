"""Pictures that a program already holds: paths, URLs, bytes or Pillow images, in a list."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.files import name_to_text
from cutline.locations.stored import InlineBytes, LocalFile, RemoteFile
from cutline.records import Location, Sample
from cutline.sources.names import UniqueKeys

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


_PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16", "HSV"})


class ListedSource:
    """Keys are the paths and URLs as given, and ``picture-1``, ``picture-2`` … for the rest."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items
        for item in items:
            if not isinstance(item, str | os.PathLike | bytes | bytearray) and not hasattr(item, "save"):
                kind = type(item).__name__
                raise ConfigError(f"cannot caption a {kind}: give paths, URLs, bytes or Pillow images")

    def samples(self) -> Iterator[Sample]:
        keys = UniqueKeys()
        for number, item in enumerate(self._items, 1):
            name, location = _locate(item, f"picture-{number}")
            key = keys.unique(name)
            yield Sample(key=key, location=location)

    @property
    def has_stable_names(self) -> bool:
        """Whether the same call later would give every picture the same key."""
        return all(isinstance(item, str | os.PathLike) for item in self._items)

    def count(self) -> int:
        return len(self._items)


def _locate(item: Any, name: str) -> tuple[str, Location]:
    if isinstance(item, bytes | bytearray):
        return name, InlineBytes(bytes(item), name)
    if isinstance(item, str | os.PathLike):
        path = os.fspath(item)
        if isinstance(path, str) and path.startswith(("http://", "https://")):
            return path, RemoteFile(path)
        text = os.fsdecode(path)
        return name_to_text(Path(text).as_posix()), LocalFile(text)
    return name, InlineBytes(_encoded(item), name)


def _encoded(image: Any) -> bytes:
    """A Pillow image as a file without loss, with the orientation that its own file had."""
    buffer = io.BytesIO()
    kind = "PNG" if image.mode in _PNG_MODES else "TIFF"
    whole = image.convert("RGB") if image.mode == "HSV" else image
    whole.save(buffer, kind, exif=image.getexif())
    return buffer.getvalue()
