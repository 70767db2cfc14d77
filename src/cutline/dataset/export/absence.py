"""Why none of the first pictures of an export is there, and which option or command helps."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from cutline.dataset.export.records import ExportItem
from cutline.dataset.row_pictures import can_hold
from cutline.errors import ConfigError, PictureError
from cutline.files import name_to_text


def none_found(items: list[ExportItem]) -> ConfigError | None:
    """The error for pictures that could not be read, if the file of each is missing; else None."""
    files = [None if isinstance(item.location, PictureError) else item.location.file() for item in items]
    if not files or any(file is None or os.path.lexists(file) for file in files):
        return None
    file, key = str(files[0]), items[0].key
    start = f"none of the first {len(items):,} pictures is there, such as {name_to_text(file)}: "
    return ConfigError(start + _cure(file, key))


_GENERAL = "--image-root names the folder that the paths of the table are relative to"


def _cure(file: str, key: str) -> str:
    if (container := _container(file)) is not None:
        return _cure_inside(container, key)
    return _cure_below(Path(file.removesuffix(f"/{key}")), key) if file.endswith(f"/{key}") else _GENERAL


def _cure_inside(container: Path, key: str) -> str:
    """The cure for a path into a tar, zip or table; keys of a folder of tars begin with the name of one."""
    place = container if not key.startswith(f"{container.stem}/") else container.parent
    if container.is_file():
        return f"{name_to_text(str(container))} exists: add --image-root {_word(place)}"
    return f"--image-root names where {name_to_text(place.name)} is now"


def _cure_below(root: Path, key: str) -> str:
    if not root.exists():
        return f"{name_to_text(str(root))} is gone, put it back or connect its disk again"
    for above in (root.parent, root.parent.parent):
        if (above / key).is_file():
            return f"{name_to_text(str(above / key))} exists: add --image-root {_word(above)}"
    inside = root / Path(key).name
    folder = Path(key).parent
    if inside.is_file() and len(folder.parts) == 1 and not os.path.lexists(root.parent / folder):
        return (
            f"{name_to_text(str(inside))} exists: make the table's paths lead there by "
            f"`ln -s {_word(root)} {_word(root.parent / folder)}`, and add --image-root {_word(root.parent)}"
        )
    return _GENERAL


def _container(file: str) -> Path | None:
    """The tar, zip or table that a picture's path leads into."""
    return next((path for path in Path(file).parents if can_hold(str(path)) and not path.is_dir()), None)


def _word(path: Path) -> str:
    return shlex.quote(name_to_text(str(path)))
