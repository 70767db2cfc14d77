"""Detect the kind of input at a path."""

from __future__ import annotations

import os
import shlex
import urllib.parse
import zipfile
from pathlib import Path

from cutline.dataset.folder_input import FolderInput
from cutline.dataset.held_pictures import run_pictures
from cutline.dataset.history import History
from cutline.dataset.input_options import TableOptions
from cutline.dataset.inputs import DatasetInput
from cutline.dataset.scan import Entry, scan
from cutline.dataset.shard_input import ShardInput
from cutline.dataset.table_input import TableInput, holds_captions
from cutline.errors import ConfigError
from cutline.files import name_to_text, not_there
from cutline.formatting import printable
from cutline.imaging import EXTENSIONS
from cutline.sinks.chosen_captions import ChosenCaptions, split_choice
from cutline.sources.content_types import table_type
from cutline.sources.input_files import numbered_files
from cutline.sources.names import METADATA_FILES, PAIRS, TABLE_EXTENSIONS, is_tar, table_ending
from cutline.sources.outputs import STATE_ENDING
from cutline.storage import is_remote


def history_folder(path: str) -> Path:
    """``<path>.cutline``, or ``_<path>.cutline`` where only that exists, as beside some outputs of runs.

    Captions that are chosen by a name, as in ``PATH:NAME``, have a history of their own.
    """
    file, name = split_choice(path)
    chosen = f".{urllib.parse.quote(name, safe=' ')}" if name else ""
    usual = Path(os.path.realpath(file) + chosen + STATE_ENDING)
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
    """Open a folder of pictures, a table, a tar or a folder of tars; ConfigError for anything else.

    ``PATH:NAME`` opens a table with the captions of one of several prompts or steps.
    """
    path, choice = split_choice(path)
    name = name_to_text(path)
    if is_remote(path):
        raise ConfigError(f"{name} is remote: copy it to this machine, and open the copy")
    place = os.path.realpath(path)
    if choice and os.path.lexists(path) and not (_tables(path) or _tables_within(place, ending)):
        raise ConfigError(f"{name} has one caption for each picture: give it without :{printable(choice)}")
    if is_tar(path) or _holds_tars(place, ending):
        _refuse(tables, name)
        return ShardInput(path, place, history, text_encoding)
    if files := _tables(path) or _tables_within(place, ending):
        if ending != ".txt":
            raise ConfigError(f"--sidecar-ext is for folders of pictures: {name} is a table")
        run = run_pictures(history_folder(path), tables.input_roots)
        place += f":{choice}" if choice else ""
        return TableInput(files, place, history, tables, run=run, chosen=ChosenCaptions(name, choice))
    if Path(path).is_file():
        raise ConfigError(f"{name} is not a dataset: {_hint(path)}")
    if not os.path.lexists(path):
        raise ConfigError(not_there(name))
    _refuse(tables, name)
    return FolderInput(path, ending, text_encoding, cache, follow_links=tables.follow_links)


def _hint(path: str) -> str:
    if zipfile.is_zipfile(path):
        file = shlex.quote(name_to_text(path))
        folder = shlex.quote(name_to_text(os.path.splitext(path)[0]))  # noqa: PTH122 - strings
        return f"unpack it by `unzip {file} -d {folder}`, and give the folder"
    if path.lower().endswith(".txt"):
        return (
            "a list of paths has no captions; give the folder of the pictures, from which `cutline filter "
            "FOLDER LIST --move-to OTHER` moves those away that it leaves out"
        )
    return "give its folder" if table_ending(path) in EXTENSIONS else "give a folder, a table or a tar"


def _refuse(tables: TableOptions, name: str) -> None:
    if tables.given:
        raise ConfigError(f"{tables.given} is for tables, and {name} is not one: remove it")


def _tables(path: str) -> list[str]:
    ending = table_ending(path)
    if ending in TABLE_EXTENSIONS:
        return [] if Path(path).is_dir() else numbered_files(path)
    is_table = Path(path).is_file() and ending not in EXTENSIONS and table_type(path) not in {"", "tar"}
    return [path] if is_table else []


def _tables_within(place: str, ending: str) -> list[str]:
    """The table with the captions of a folder's pictures, as exports write it, unless they have texts."""
    files = (os.path.join(place, name) for name in (*METADATA_FILES, PAIRS))  # noqa: PTH118 - strings
    found = [file for file in files if os.path.isfile(file) and holds_captions(file)]  # noqa: PTH113 - strings
    if not found or any(_has_text(place, entry) for entry in scan(place, ending=ending)):
        return []
    return found[:1]


def _has_text(place: str, entry: Entry) -> bool:
    files = filter(None, (entry.sidecar, entry.common))
    return any(os.path.exists(os.path.join(place, file)) for file in files)  # noqa: PTH110, PTH118 - strings


def _holds_tars(place: str, ending: str) -> bool:
    """Whether a folder has tars and no pictures."""
    try:
        with os.scandir(place) as found:
            has_tar = any(is_tar(each.name) and each.is_file() for each in found)
    except OSError:
        return False
    return has_tar and next(scan(place, ending=ending), None) is None
