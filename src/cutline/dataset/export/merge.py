"""Files that are added to a folder which may hold others: none of those is replaced unless that is meant."""

from __future__ import annotations

import contextlib
import filecmp
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cutline.dataset.history import History
from cutline.dataset.opened_input import history_folder
from cutline.dataset.records import Change, EditInfo
from cutline.dataset.replaced_texts import note_runs
from cutline.dataset.sidecar_files import SidecarFiles
from cutline.dataset.writer import Writer
from cutline.errors import ConfigError, OutputExists, SinkError
from cutline.files import name_to_text, sync_folder
from cutline.formatting import plural
from cutline.locations.roots import is_within

_SHOWN: Final = 5  # errors


def merge_folder(made: Path, output: Path, protected: Sequence[str], *, overwrite: bool) -> int:
    """Move the files of ``made`` to the same places in ``output``, where the same content stays as it is.

    Nothing is moved before all places were looked at. What was moved when the process dies is whole. Texts
    that are replaced are an edit in the history of ``output``, which can be undone there; returns how many.

    Raises:
        OutputExists: a file is there with another content; ``overwrite`` replaces it.
        ConfigError: a place is outside of the folder, or not apart from ``protected``.
        SinkError: a text or the history cannot be written.
        OSError: the folder cannot be written.
    """
    different = 0
    first = ""
    texts: list[Path] = []
    for file in _files(made):
        place = output / file.relative_to(made)
        _check_place(place, output, protected)
        if not _is_free(file, place):
            different += 1
            first = first or name_to_text(str(place))
            texts += [file] * (place.suffix == ".txt")
    if different and not overwrite:
        others = f", and {different - 1:,} more," if different > 1 else ""
        raise OutputExists(
            f"{first}{others} is there with another content, and nothing is written: choose another folder, "
            "or replace such files with --overwrite"
        )
    if texts:
        _replace(texts, made, output)
    folders = set()
    for file in _files(made):
        place = output / file.relative_to(made)
        if not _is_same(file, place):
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
            folders.add(place.parent)
    for folder in folders:
        sync_folder(folder)
    return len(texts)


def _replace(texts: Sequence[Path], made: Path, output: Path) -> None:
    """Write texts in the place of others, as one edit."""
    history = History(history_folder(str(output)))
    names = {file: name_to_text(str(file.relative_to(made))) for file in texts}
    changes = (
        Change(file=name, before=(output / file.relative_to(made)).read_bytes(), after=file.read_bytes())
        for file, name in names.items()
    )
    info = EditInfo(kind="export", summary=f"an export replaced {plural(len(texts), 'text')}")
    with contextlib.closing(history):
        note_runs(history, SidecarFiles(str(output)), history_folder(str(output)))
        result = Writer(history, SidecarFiles(str(output))).apply(info, changes, lambda _: None)
    if result.conflicts:
        raise SinkError(f"{result.conflicts[0]} was changed meanwhile, and is kept: export again")
    if result.failed:
        raise SinkError("; ".join(problem for _, problem in result.failed[:_SHOWN]))


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
