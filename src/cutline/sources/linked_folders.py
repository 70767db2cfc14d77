"""Walks a folder on this machine as ``os.walk`` does, and follows links to folders once."""

# Paths stay strings: file names need not be Unicode.
# ruff: noqa: PTH114, PTH118

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from cutline.locations.roots import is_within


def walk_folders(top: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder with the names of its folders and files; the caller may shorten the list of folders.

    A link is followed once, and not to a folder above it or one that is walked anyway.
    """
    real_top = os.path.realpath(top)
    followed: set[str] = set()
    for folder, folders, files in os.walk(top, followlinks=True):
        here = os.path.realpath(folder)
        for name in sorted(folders):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                continue
            real = os.path.realpath(path)
            deeper = Path(os.path.relpath(real, real_top)).parts
            walked = is_within(real, real_top) and not any(part.startswith(".") for part in deeper)
            if walked or is_within(here, real) or real in followed:
                folders.remove(name)
            followed.add(real)
        yield folder, folders, files
