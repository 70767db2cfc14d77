"""The one folder from which the paths that an input holds are opened."""

# Paths stay strings: they come out of tables and need not be valid.
# ruff: noqa: PTH100, PTH118

from __future__ import annotations

import os
import posixpath
import unicodedata
from typing import TYPE_CHECKING

from cutline.files import name_to_text
from cutline.locations.remote_versions import RemoteVersions
from cutline.locations.stored import LocalFile, RemoteObject
from cutline.records import Problem
from cutline.storage import is_remote, is_url, local_path, named_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cutline.records import Location


def is_within(real: str, root: str) -> bool:
    """Whether one real path is the other, or is below it."""
    try:
        return os.path.commonpath([real, root]) == root
    except ValueError:  # on another drive
        return False


def leads_out(path: str, folder: str) -> bool:
    """Whether a path in a folder on this machine lies elsewhere after links were followed."""
    return not is_within(os.path.realpath(path), os.path.realpath(folder))


def _spellings(name: str) -> Iterator[str]:
    """The same path as written on Windows, and with accents as macOS or others write them."""
    path = name.replace("\\", "/")
    forms = (
        (path,) if path.isascii() else (path, *(unicodedata.normalize(form, path) for form in ("NFC", "NFD")))
    )
    return (form for form in forms if form != name)


def _joined(url: str, path: str) -> str:
    """The URL of a path that is relative to a folder on storage, without ``..``."""
    scheme, _, folder = url.partition("://")
    return f"{scheme}://{posixpath.normpath(posixpath.join(folder, path))}"


class ImageRoot:
    """Opens nothing outside ``folder``, also after links were followed unless ``follow_links``.

    Paths are relative to it; those that lead out of it, as ``../images/1.jpg``, to ``base``, such as the
    folder of a table.
    """

    def __init__(self, folder: str, *, base: str | None = None, follow_links: bool = False) -> None:
        self._follow_links = follow_links
        self._base = base if base is None else local_path(base)
        self._folder = folder = local_path(folder)
        self._remote = is_remote(folder)
        self._versions = RemoteVersions()
        self._real = folder.rstrip("/") if self._remote else os.path.realpath(folder)

    def find(self, name: str, place: str) -> tuple[str, Location | Problem]:
        """The key and place of the picture at ``name``; for a path elsewhere ``place`` and a problem."""
        if not self._remote:
            name = named_path(name)
        if self._base is not None and name.startswith("..\\"):  # a table that was written on Windows
            name = name.replace("\\", "/")
        for path in (name, *self._from_base(name)):
            found = self._on_storage(path) if self._remote else self._local(path)
            if found is not None:
                return found
        shown = name_to_text(name).replace("\0", "\\0")[:300]
        return place, Problem(kind="blocked-path", message=f"{shown!r} {self._reason(name)}")

    def _from_base(self, name: str) -> Iterator[str]:
        """A path that leads upwards, as one within the root where it is that from ``base``."""
        if self._base is None or is_remote(self._base) != self._remote:
            return
        if not name.startswith("../") or "\0" in name:
            return
        if not self._remote:
            yield os.path.relpath(os.path.join(self._base, name), self._folder or ".")
        elif (path := _joined(self._base, name)).startswith(f"{self._real}/"):
            yield path

    def _reason(self, name: str) -> str:
        """Why a path is not opened, and what allows it."""
        folder = self._folder if self._remote else name_to_text(os.path.abspath(self._folder or "."))
        if "\0" in name:
            return "is not a path, as it holds a null character"
        if is_remote(name):
            bucket = "/".join(name.split("/")[:3])
            return f"is not within {folder}; --image-root {bucket} reads that storage"
        if not self._remote and self._is_below(name):
            return f"is a link that leads out of {folder}; --follow-links follows it"
        above = self._above(name)
        cure = f"{above} allows it" if above else "names another folder"
        return f"is not within {folder}; --image-root {cure}"

    def _above(self, name: str) -> str:
        """The folder that a path upwards begins in; empty for other paths, and for the whole disk."""
        steps = os.pardir
        while name.startswith(f"{steps}/{os.pardir}/"):
            steps += f"/{os.pardir}"
        if self._base is None or not name.startswith("../"):
            return ""
        if is_remote(self._base):
            return _joined(self._base, steps)
        folder = os.path.normpath(os.path.join(self._base, steps))
        return "" if os.path.realpath(folder) == os.sep else folder

    def _is_below(self, name: str) -> bool:
        """Whether a path is below the root before links are followed."""
        path = os.path.abspath(os.path.join(self._folder, name))
        return is_within(path, os.path.abspath(self._folder))

    def _local(self, name: str) -> tuple[str, LocalFile] | None:
        """Key and file; None when the file, after all links were followed, is not below the root."""
        if "\0" in name or is_url(name):
            return None
        path = os.path.join(self._folder, name)
        for other in _spellings(name):
            if not os.path.lexists(path) and self._is_below(other):
                name, path = other, os.path.join(self._folder, other)
        try:
            real = os.path.realpath(path)
            linked = self._follow_links and self._is_below(name)
            if real == self._real or not (linked or is_within(real, self._real)):
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
        url = f"{self._real}/{key}"
        return key, RemoteObject(url, self._versions.version(url))
