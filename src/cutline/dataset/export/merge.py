"""Files that are added to a folder which may hold others: none of those is replaced unless that is meant."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from cutline.errors import ConfigError, OutputExists
from cutline.files import name_to_text, sync_folder
from cutline.locations.roots import is_within


def merge_folder(made: Path, output: Path, protected: Sequence[str], *, overwrite: bool) -> None:
    """Move the files of ``made`` to the same places in ``output``, where the same content stays as it is.

    Nothing is moved before all places were looked at. What was moved when the process dies is whole.

    Raises:
        OutputExists: a file is there with another content; ``overwrite`` replaces it.
        ConfigError: a place is outside of the folder, or not apart from ``protected``.
        OSError: the folder cannot be written.
    """
    different = 0
    first = ""
    for file in _files(made):
        place = output / file.relative_to(made)
        _check_place(place, output, protected)
        if not _is_free(file, place) and not overwrite:
            different += 1
            first = first or name_to_text(str(place))
    if different:
        others = f", and {different - 1:,} more," if different > 1 else ""
        raise OutputExists(
            f"{first}{others} is there with another content, and nothing is written: choose another folder, "
            "or replace such files with --overwrite"
        )
    folders = set()
    for file in _files(made):
        place = output / file.relative_to(made)
        if not _is_same(file, place):
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
            folders.add(place.parent)
    for folder in folders:
        sync_folder(folder)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in folder.rglob("*") if not file.is_dir())


def _check_place(place: Path, output: Path, protected: Sequence[str]) -> None:
    real = os.path.realpath(place.parent)
    shown = name_to_text(str(place))
    if not is_within(real, os.path.realpath(output)):
        raise ConfigError(f"{shown} is behind a link that leads out of the folder: choose another folder")
    real = os.path.join(real, place.name)  # noqa: PTH118 - a string
    if any(is_within(real, folder) for folder in protected):
        raise ConfigError(f"{shown} belongs to the dataset itself: choose a place outside of it")
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return
    except NotADirectoryError:
        raise ConfigError(
            f"{name_to_text(str(place.parent))} is not a folder: choose another folder"
        ) from None
    if not stat.S_ISREG(mode):
        raise ConfigError(f"{shown} is there, but is not a plain file: remove it, or choose another folder")


def _is_free(file: Path, place: Path) -> bool:
    return not place.exists() or _is_same(file, place)


def _is_same(file: Path, place: Path) -> bool:
    return place.exists() and filecmp.cmp(file, place, shallow=False)
