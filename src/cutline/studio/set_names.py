"""The caption sets that a page may compare, and their paths."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import Counter
from pathlib import Path
from typing import Final

from cutline.dataset.caption_sets import OWN
from cutline.dataset.dataset import Dataset
from cutline.dataset.table_input import holds_captions
from cutline.files import name_to_text, text_to_name
from cutline.service.errors import ServiceError
from cutline.studio.folders import is_output_name

_NAMED: Final = 100
_FOLDERS: Final = 50
_ENDINGS: Final = (".txt", ".caption")


def set_names(dataset: Dataset) -> list[str]:
    """The available sets: the dataset's own, other extensions, and tables and tars beside or in it."""
    place = Path(dataset.folder)
    endings = Counter(os.path.splitext(entry.sidecar)[1] for entry in dataset.entries[:1000])  # noqa: PTH122 - strings
    [(own, _)] = endings.most_common(1)  # some pictures may have only the other one, which is read then
    found = [OWN]
    if place.is_dir():
        found += [each for each in _ENDINGS if each != own and _has(dataset, each)]
    for folder in dict.fromkeys((place.parent, place) if place.is_dir() else (place.parent,)):
        outputs = (name for name in _outputs(folder) if name != dataset.folder)
        found += itertools.islice(filter(holds_captions, outputs), _NAMED)
    return [name_to_text(name) for name in found[:_NAMED]]


def set_path(dataset: Dataset, name: str, roots: tuple[Path, ...]) -> str:
    """The set named by a page; ServiceError 403: it is an output elsewhere."""
    if name == OWN or (name.startswith(".") and "/" not in name):
        return name
    if "\0" in name:
        raise ServiceError(422, "the name of a set must not hold a null character")
    place = Path(dataset.folder)
    path = os.path.realpath(os.path.join(place.parent, text_to_name(name)))  # noqa: PTH118 - strings
    allowed = (*roots, *([place] if place.is_dir() else []))
    is_below = any(Path(path).is_relative_to(os.path.realpath(root)) for root in allowed)
    if not is_below and os.path.dirname(path) != str(place.parent):  # noqa: PTH120 - as above
        raise ServiceError(403, "an output must be beside the dataset, in it, or below a folder of --root")
    return path


def _has(dataset: Dataset, ending: str) -> bool:
    """Whether one of the pictures' folders, or of the first few of many, has a text with this extension."""
    keys = (os.path.dirname(entry.key) for entry in dataset.entries)  # noqa: PTH120 - strings
    for name in itertools.islice(dict.fromkeys(keys), _FOLDERS):
        place = os.path.join(dataset.folder, name)  # noqa: PTH118 - strings
        with contextlib.suppress(OSError), os.scandir(place) as found:
            if any(each.name.lower().endswith(ending) for each in found):
                return True
    return False


def _outputs(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as found:
            names = [each.path for each in found if each.is_file() and is_output_name(each.name)]
    except OSError:
        return []
    return sorted(names)
