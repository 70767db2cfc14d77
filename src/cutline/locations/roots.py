"""The one folder from which the paths that an input holds are opened."""

# Paths stay strings: they come out of tables and need not be valid.
# ruff: noqa: PTH118

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING

from cutline.files import name_to_text
from cutline.locations.stored import LocalFile, RemoteObject
from cutline.records import Problem
from cutline.storage import is_remote, is_url, local_path

if TYPE_CHECKING:
    from cutline.records import Location


def is_within(real: str, root: str) -> bool:
    """Whether one real path is the other, or lies below it."""
    try:
        return os.path.commonpath([real, root]) == root
    except ValueError:  # on another drive
        return False


class ImageRoot:
    """Opens nothing outside ``folder``, also after links were followed."""

    def __init__(self, folder: str) -> None:
        self._folder = folder = local_path(folder)
        self._remote = is_remote(folder)
        self._real = folder.rstrip("/") if self._remote else os.path.realpath(folder)

    def find(self, name: str, place: str) -> tuple[str, Location | Problem]:
        """The key and place of the picture at ``name``; for a path elsewhere ``place`` and a problem."""
        found = self._on_storage(name) if self._remote else self._local(name)
        if found is not None:
            return found
        shown = name_to_text(name).replace("\0", "\\0")[:300]
        message = f"{shown!r} is not within {self._folder or '.'}; --image-root names another folder"
        return place, Problem(kind="blocked-path", message=message)

    def _local(self, name: str) -> tuple[str, LocalFile] | None:
        """Key and file; None when the file, after all links were followed, is not below the root."""
        if "\0" in name or is_url(name):
            return None
        path = os.path.join(self._folder, name)
        try:
            real = os.path.realpath(path)
            if real == self._real or os.path.commonpath([real, self._real]) != self._real:
                return None
            key = os.path.relpath(path, self._folder)
        except (OSError, ValueError):
            return None
        if key.startswith(os.pardir):  # an absolute path that reaches the root by another way
            key = os.path.relpath(real, self._real)
        return name_to_text(key.replace(os.sep, "/")), LocalFile(real)

    def _on_storage(self, name: str) -> tuple[str, RemoteObject] | None:
        inside = name.removeprefix(f"{self._real}/")
        if "\0" in inside or is_url(inside) or inside.startswith("/") or ".." in inside.split("/"):
            return None
        key = posixpath.normpath(inside)
        return key, RemoteObject(f"{self._real}/{key}")
