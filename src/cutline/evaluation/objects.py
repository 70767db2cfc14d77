"""Object lists for CHAIR, and the pictures of captions in a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cutline.engine.picture_ids import match_ids
from cutline.errors import ConfigError
from cutline.files import check_folder
from cutline.imaging import EXTENSIONS
from cutline.setting_files import read_object
from cutline.text.corpus import ObjectLists


def read_objects(path: str, ids: Sequence[str]) -> ObjectLists:
    """The objects of a .json or .toml file, with the pictures' lists by the ids of captions.

    ``objects`` has the synonyms of each, ``pictures`` the objects of each picture, which is optional with
    references.

    Raises:
        ConfigError: the file cannot be read, or has another form.
    """
    data = read_object(Path(path), "file of --objects")
    words, pictures = data.get("objects"), data.get("pictures", {})
    if not _is_lists(words) or not words:
        raise ConfigError(
            f'{path} has no objects: give {{"objects": {{"dog": ["puppy"]}}, "pictures": {{…}}}}'
        )
    if not _is_lists(pictures):
        raise ConfigError(f'{path}: "pictures" is not an object with a list for each picture')
    unknown = sorted({name for names in pictures.values() for name in names} - set(words))
    if unknown:
        raise ConfigError(f"{path}: {unknown[0]!r} of a picture is not among the objects: add it to them")
    if not pictures:
        return ObjectLists(words=words, pictures={})
    matched = match_ids(ids, pictures, {}, ("the captions", path))
    return ObjectLists(words=words, pictures={key: pictures[other] for key, other in matched.pairs.items()})


def _is_lists(value: Any) -> bool:
    """Whether it is an object of lists of texts."""
    return isinstance(value, dict) and all(
        isinstance(one, list) and all(isinstance(text, str) for text in one) for one in value.values()
    )


def find_images(folder: str, ids: Sequence[str]) -> dict[str, str]:
    """The paths of pictures below a folder by the ids of captions; ConfigError if none exists."""
    check_folder(folder)
    found = [
        Path(place, name).relative_to(folder).as_posix()
        for place, _, names in os.walk(folder)
        for name in names
        if Path(name).suffix.lower()[1:] in EXTENSIONS
    ]
    matched = match_ids(ids, sorted(found), {}, ("the captions", folder))
    return {key: str(Path(folder, other)) for key, other in matched.pairs.items()}
