"""Caption sets of the same pictures: of a dataset, of texts with another extension, or of a run's output."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

from cutline.dataset.caption_files import CaptionFiles
from cutline.dataset.history import History
from cutline.dataset.input_options import TableOptions
from cutline.dataset.opened_input import history_folder, open_input
from cutline.dataset.recorded_input import RecordedInput
from cutline.dataset.scan import Entry, scan
from cutline.dataset.text_column import TextColumn
from cutline.errors import ConfigError, PictureError
from cutline.files import name_to_text
from cutline.formatting import stored_key
from cutline.records import Location

OWN: Final = "captions"
"""The name of the dataset's own set."""


class Rows(Protocol):
    """The parts of a dataset that are needed to find other captions of its pictures."""

    folder: str
    captions: TextColumn
    entries: Sequence[Entry]

    def location(self, row: int) -> Location: ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CaptionSet:
    """Captions by row, under a unique ``name``; ``model`` and ``prompt_id`` are those of a run."""

    name: str
    texts: Mapping[int, str]
    model: str = ""
    prompt_id: str = ""


def caption_set(dataset: Rows, name: str) -> CaptionSet:
    """The dataset's own captions, those with an extension such as ``.caption``, or those of an output's path.

    Rows of an output are matched by key, else by the picture's file, else by the picture's bytes.

    Raises:
        ConfigError: the output does not exist, or has none of the dataset's pictures.
    """
    if name == OWN:
        captions = enumerate(dataset.captions.array().to_pylist())
        return CaptionSet(name=OWN, texts={row: text for row, text in captions if text is not None})
    if name.startswith(".") and "/" not in name:
        found = _texts_with(dataset, name)
        if not found.texts:
            raise ConfigError(f"no picture has a text ending in {name}")
        return found
    history = History(history_folder(name))
    source = open_input(name, history, TableOptions(), ending=".txt", text_encoding=None, cache=None)
    if not isinstance(source, RecordedInput):
        raise ConfigError(
            f"{name_to_text(name)} is a folder of pictures: give an output, or an ending of texts"
        )
    try:
        return _of_output(dataset, name, source)
    finally:
        history.close()


def _texts_with(dataset: Rows, ending: str) -> CaptionSet:
    if not Path(dataset.folder).is_dir():
        raise ConfigError(f"{ending} is for folders of pictures: give the output of a run")
    files = CaptionFiles(dataset.folder, ending)
    rows = {entry.key: row for row, entry in enumerate(dataset.entries)}
    texts = {}
    for entry in scan(dataset.folder, ending=ending):
        row = rows.get(entry.key)
        if row is not None and entry.sidecar.lower().endswith(ending.lower()) and (text := files.read(entry)):
            texts[row] = text
    return CaptionSet(name=ending, texts=texts)


def _of_output(dataset: Rows, name: str, source: RecordedInput) -> CaptionSet:
    entries = source.entries()
    captions = source.read_next(entries)
    rows = {stored_key(entry.key): row for row, entry in enumerate(dataset.entries)}
    texts, others = {}, []
    models: dict[tuple[str, str], int] = {}
    for entry, caption in zip(entries, captions, strict=True):
        if caption is None:
            continue
        made_by = source.provenance(entry)
        models[made_by] = models.get(made_by, 0) + 1
        row = rows.get(stored_key(entry.key))
        if row is None:
            others.append((entry, caption))
        else:
            texts[row] = caption
    if others:
        others = _by_file(dataset, source, others, texts)
    if others:
        _by_content(dataset, source, others, texts)
    if not texts:
        raise ConfigError(
            f"no caption of {name_to_text(name)} belongs to a picture here: its keys are such as "
            f"{', '.join(repr(entry.key) for entry in entries[:3]) or 'none'}"
        )
    model, prompt = max(models, key=lambda each: models[each])
    return CaptionSet(name=Path(name_to_text(name)).name, texts=texts, model=model, prompt_id=prompt)


def _by_file(
    dataset: Rows, source: RecordedInput, others: list[tuple[Entry, str]], texts: dict[int, str]
) -> list[tuple[Entry, str]]:
    """Add the captions of pictures in the same files to ``texts``; returns the remaining entries."""
    rows = {}
    for row in range(len(dataset.entries)):
        with contextlib.suppress(PictureError):
            if file := dataset.location(row).file():
                rows[os.path.realpath(file)] = row
    left = []
    for entry, caption in others:
        row_of = None
        with contextlib.suppress(PictureError):
            file = source.location(entry).file()
            row_of = rows.get(os.path.realpath(file)) if file else None
        if row_of is None:
            left.append((entry, caption))
        else:
            texts.setdefault(row_of, caption)
    return left


def _by_content(
    dataset: Rows, source: RecordedInput, others: list[tuple[Entry, str]], texts: dict[int, str]
) -> None:
    """Add the captions of pictures with the same bytes; only files of equal size are read."""
    rows = (row for row in range(len(dataset.entries)) if row not in texts)
    free = {row: place for row in rows if (place := _location(dataset, row))}
    theirs = [(place, caption) for entry, caption in others if (place := _place(source, entry))]
    sizes = [{_size(place) for place in places} for places in (free.values(), (place for place, _ in theirs))]
    shared = None if None in sizes[0] | sizes[1] else sizes[0] & sizes[1]
    captions: dict[bytes, str] = {}
    for place, caption in theirs:
        if (shared is None or _size(place) in shared) and (digest := _digest(place)):
            captions.setdefault(digest, caption)
    for row, place in free.items() if captions else ():
        if shared is None or _size(place) in shared:
            digest = _digest(place)
            if digest is not None and digest in captions:
                texts[row] = captions[digest]


def _location(dataset: Rows, row: int) -> Location | None:
    try:
        return dataset.location(row)
    except PictureError:
        return None


def _place(source: RecordedInput, entry: Entry) -> Location | None:
    try:
        return source.location(entry)
    except PictureError:
        return None


def _size(place: Location) -> int | None:
    """The size; None unless it is a file."""
    file = place.file()
    try:
        return os.stat(file).st_size if file else None  # noqa: PTH116 - names need not be Unicode
    except OSError:
        return -1


def _digest(place: Location) -> bytes | None:
    try:
        return hashlib.blake2b(place.read(), digest_size=16).digest()
    except PictureError:
        return None
