"""The pictures of a folder and the texts beside them, by path."""

# Paths stay strings: file names need not be Unicode, and they come by the million.
# ruff: noqa: PTH113, PTH118, PTH119

from __future__ import annotations

import dataclasses
import os
from collections import Counter
from collections.abc import Iterator
from typing import Final

from cutline.files import name_to_text
from cutline.sidecars.names import candidates
from cutline.sources.exclusion import Exclusion
from cutline.sources.outputs import OutputFilter
from cutline.sources.walk import Found, Range, Walk, WalkOptions

_OTHER_ENDING: Final = ".caption"  # of sd-scripts; read where there is no other text


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A picture of a folder. ``picture`` and ``sidecar`` are paths relative to the folder, as on disk.

    ``key`` is the picture's path as valid Unicode. ``sidecar`` is the path of its text, which need not exist;
    ``common`` the text that is read while that is missing, which several pictures may share.
    """

    key: str
    picture: str
    sidecar: str
    common: str | None = None


def scan(root: str, *, ending: str = ".txt", exclude: tuple[str, ...] = ()) -> Iterator[Entry]:
    """The pictures below ``root`` in the order of their paths; ConfigError: it cannot be read."""
    options = WalkOptions(
        recursive=True,
        outputs=OutputFilter(root, None),
        excluded=Exclusion(exclude).matches,
        texts=ending,
    )
    folder: tuple[str, list[Found]] = ("", [])
    for _, prefix, found in Walk(root, Range(), options).pictures():
        if found.problem is not None:
            continue
        if prefix != folder[0]:
            yield from _entries(root, *folder, ending)
            folder = (prefix, [])
        folder[1].append(found)
    yield from _entries(root, *folder, ending)


def _entries(root: str, prefix: str, pictures: list[Found], ending: str) -> Iterator[Entry]:
    stems = Counter(_stem(found.name) for found in pictures)
    for found in pictures:
        key = name_to_text(prefix + found.name)
        names = candidates(found.name, key, ending)
        several = [name for name, _ in names] if stems[_stem(found.name)] > 1 else []
        common = None
        if len(several) > 2:
            own = several[1]
            common = next((name for name in found.sidecars if name.lower() != own.lower()), None)
            own = next((name for name in found.sidecars if name.lower() == own.lower()), own)
        elif found.sidecars:
            own = found.sidecars[0]
        elif os.path.isfile(other := os.path.join(root, prefix, _stem_of(found.name) + _OTHER_ENDING)):
            own = os.path.basename(other)
        else:
            own = several[0] if several else next(names)[0]
        yield Entry(
            key=key,
            picture=prefix + found.name,
            sidecar=prefix + own,
            common=prefix + common if common else None,
        )


def _stem_of(name: str) -> str:
    return name.rpartition(".")[0] or name


def _stem(name: str) -> str:
    return _stem_of(name).casefold()
