"""Detect the kind of input at a path."""

from __future__ import annotations

import os
from pathlib import Path

from cutline.dataset.folder_input import FolderInput
from cutline.dataset.history import History
from cutline.dataset.input_options import TableOptions
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.scan import scan
from cutline.dataset.shard_input import ShardInput
from cutline.dataset.table_input import TableInput, table_files
from cutline.errors import ConfigError
from cutline.files import name_to_text, not_there
from cutline.imaging import EXTENSIONS
from cutline.sources.content_types import table_type
from cutline.sources.names import TABLE_EXTENSIONS, is_tar, table_ending
from cutline.sources.outputs import STATE_ENDING
from cutline.storage import is_remote


def history_folder(path: str) -> Path:
    """``<path>.cutline``, or ``_<path>.cutline`` where only that exists, as beside some outputs of runs."""
    place = os.path.realpath(path)
    usual = Path(place + STATE_ENDING)
    other = usual.with_name(f"_{usual.name}")
    return other if other.is_dir() and not usual.exists() else usual


def open_input(
    path: str,
    history: History,
    tables: TableOptions,
    *,
    ending: str,
    text_encoding: str | None,
    cache: Path | None,
) -> DatasetInput:
    """Open a folder of pictures, a table, a tar or a folder of tars; ConfigError for anything else."""
    name = name_to_text(path)
    if is_remote(path):
        raise ConfigError(f"{name} is remote: copy it to this machine, and open the copy")
    place = os.path.realpath(path)
    if is_tar(path) or _holds_tars(place, ending):
        _refuse(tables, name)
        return ShardInput(path, place, history, text_encoding)
    if files := _tables(path):
        if ending != ".txt":
            raise ConfigError(f"--sidecar-ext is for folders of pictures: {name} is a table")
        return TableInput(files, place, history, tables)
    if Path(path).is_file():
        hint = "give its folder" if table_ending(path) in EXTENSIONS else "give a folder, a table or a tar"
        raise ConfigError(f"{name} is not a dataset: {hint}")
    if not os.path.lexists(path):
        raise ConfigError(not_there(name))
    _refuse(tables, name)
    return FolderInput(path, ending, text_encoding, cache)


def _refuse(tables: TableOptions, name: str) -> None:
    if tables.given:
        raise ConfigError(f"{tables.given} is for tables, and {name} is not one: remove it")


def _tables(path: str) -> list[str]:
    ending = table_ending(path)
    if ending in TABLE_EXTENSIONS:
        return [] if Path(path).is_dir() else table_files(path)
    is_table = Path(path).is_file() and ending not in EXTENSIONS and table_type(path) not in {"", "tar"}
    return [path] if is_table else []


def _holds_tars(place: str, ending: str) -> bool:
    """Whether a folder has tars and no pictures."""
    try:
        with os.scandir(place) as found:
            has_tar = any(is_tar(each.name) and each.is_file() for each in found)
    except OSError:
        return False
    return has_tar and next(scan(place, ending=ending), None) is None
