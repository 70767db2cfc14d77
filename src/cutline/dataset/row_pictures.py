"""The pictures that a table's rows name: files below one folder, or inside a tar, a zip or a table."""

from __future__ import annotations

import os
from pathlib import Path

from cutline.dataset.held_pictures import HeldPicture, HeldPictures, RecordedInput
from cutline.errors import ConfigError, PictureError
from cutline.formatting import without_signatures
from cutline.locations.roots import ImageRoot
from cutline.records import Location, Problem
from cutline.sources.names import TABLE_EXTENSIONS, is_tar, table_ending
from cutline.storage import is_http


class RowPictures:
    """Opens a path only within the root, also after links; a file as the root holds pictures by key.

    Without a root it is the table's folder; what is not there is looked up in the input of the run.
    """

    def __init__(
        self, root: str | None, folder: str, run: HeldPictures | None, *, follow_links: bool = False
    ) -> None:
        """``folder`` is the table's, ``run`` its input if a run wrote it. ConfigError: not such a root.

        ``follow_links``: links within the root may lead out of it.
        """
        self._held = run if root is None else None
        self._name = root or folder
        self._root: ImageRoot | None = None
        if root is not None and Path(root).is_file() and can_hold(root):
            self._held = HeldPictures(lambda: RecordedInput(root))
        elif Path(self._name).is_dir():
            self._root = ImageRoot(self._name, base=folder, follow_links=follow_links)
            if root is not None and any(is_tar(file.name) for file in Path(root).iterdir()):
                self._held = HeldPictures(lambda: RecordedInput(root))
        else:
            raise ConfigError(f"--image-root {root} is not a folder, a tar, a zip or a table")

    def find(self, name: str | None, key: str, *, by_key: bool) -> Location:
        """A row's picture; ``by_key``: its key may be its path. PictureError: it must not be read."""
        found = self._file(name, key, by_key=by_key)
        if self._held is not None and (isinstance(found, PictureError) or not _is_there(found)):
            return HeldPicture(self._held, key, name or key, found)
        if isinstance(found, PictureError):
            raise found
        return found

    def _file(self, name: str | None, key: str, *, by_key: bool) -> Location | PictureError:
        if self._root is None:
            return PictureError("missing", f"{self._name} holds no picture of the key {key}")
        found = _in_root(self._root, name) if name else None
        if by_key and (found is None or isinstance(found, Problem) or not _is_there(found)):
            other = _in_root(self._root, key)
            if found is None or (not isinstance(other, Problem) and _is_there(other)):
                found = other
        if found is None:
            return PictureError("missing", "the row names no picture")
        return PictureError(found.kind, found.message) if isinstance(found, Problem) else found


def _in_root(root: ImageRoot, name: str) -> Location | Problem:
    if is_http(name):
        message = f"{without_signatures(name)[:200]} is a URL, which is not fetched here"
        return Problem(kind="fetch", message=message)
    return root.find(name, "")[1]


def can_hold(file: str) -> bool:
    """Whether the name is that of a tar, a zip or a table."""
    ending = table_ending(file)
    return is_tar(file) or ending == "zip" or ending in TABLE_EXTENSIONS


def _is_there(found: Location) -> bool:
    file = found.file()
    return file is not None and os.path.isfile(file)  # noqa: PTH113 - strings
