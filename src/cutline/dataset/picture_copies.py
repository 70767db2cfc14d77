"""Find pictures with equal bytes."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

_END: Final = 4096  # bytes at the end of a file, which tell most pictures apart


def find_copies(paths: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Whether another path has the same bytes, see ``group_copies``."""
    found = np.zeros(len(paths), dtype=bool)
    for group in group_copies(paths):
        found[group] = True
    return found


def group_copies(paths: Sequence[str]) -> list[list[int]]:
    """Groups of indices of paths with equal bytes; links to one file are copies too.

    Only files of equal size are read: first their ends, then all if these are equal. Unreadable files are no
    copies.
    """
    files: dict[tuple[int, int], list[int]] = defaultdict(list)
    sizes: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for row, path in enumerate(paths):
        try:
            status = os.stat(path)  # noqa: PTH116 - names need not be Unicode
        except OSError:
            continue
        file = (status.st_dev, status.st_ino)
        if file not in files:
            sizes[status.st_size].append(file)
        files[file].append(row)
    groups: list[list[int]] = []
    single = set(files)
    for size, same in sizes.items():
        by_end = _groups(same, [_end(paths[files[file][0]], size) for file in same])
        for group in by_end:
            for copies in _groups(group, [_digest(paths[files[file][0]]) for file in group]):
                groups.append(sorted(row for file in copies for row in files[file]))
                single.difference_update(copies)
    groups += (files[file] for file in single if len(files[file]) > 1)
    return sorted(groups)


def _groups(
    files: Sequence[tuple[int, int]], values: Iterable[Hashable | None]
) -> list[list[tuple[int, int]]]:
    """Groups of equal values; None equals nothing."""
    groups: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
    for file, value in zip(files, values, strict=True):
        if value is not None:
            groups[value].append(file)
    return [group for group in groups.values() if len(group) > 1]


def _end(path: str, size: int) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            file.seek(max(0, size - _END))
            return file.read(_END)
    except OSError:
        return None


def _digest(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - as above
            return hashlib.file_digest(file, "blake2b").digest()
    except OSError:
        return None
