"""Hugging Face's imagefolder: pictures, and a ``metadata`` table beside them with a row for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cutline.errors import ConfigError
from cutline.imaging import EXTENSIONS
from cutline.locations.roots import leads_out
from cutline.records import Problem
from cutline.sources.exclusion import NONE, Exclusion
from cutline.sources.input_files import expand
from cutline.sources.names import METADATA_FILES, PAIRS, is_metadata_file
from cutline.sources.patterns import fixed_folder
from cutline.sources.table import TableSource
from cutline.storage import is_remote, is_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cutline.records import Location
    from cutline.sources.unread_files import Named


class ImageFolderSource(TableSource):
    """A sample for each row of the ``metadata`` files of a folder and its sub-folders.

    The column ``file_name`` is the picture's path relative to its metadata file; keys are relative to the
    folder. Pictures that no row names are left over.
    """

    _default_column = "file_name"

    _linked: Sequence[str] = ()
    """Metadata files that lie out of the folder, behind links."""

    def _note_unread(self, named: Named) -> None:
        for file in self._linked:
            self._notes.note("linked-text", file)
        endings = tuple(f".{ending}" for ending in EXTENSIONS)
        try:
            folder, files = expand(
                self._path, endings, recursive=self._options.recursive, exclude=self._options.exclude
            )
        except ConfigError:
            return
        del folder
        for file in files:
            if not named.has(file):
                self._notes.note("not-in-metadata", file[len(self._folder) :].replace("\\", "/"))

    def _list_files(self, path: str) -> tuple[str, list[str]]:
        folder, files = expand(
            path,
            (*METADATA_FILES, PAIRS),
            recursive=self._options.recursive,
            outputs=self._options.outputs,
            exclude=self._options.exclude,
        )
        pairs = [file for file in files if file == f"{path.rstrip('/')}/{PAIRS}"]
        files = [file for file in files if is_metadata_file(file)]
        if pairs and not files:
            files, self._default_column = pairs, ""
        if not files:
            raise ConfigError(f"{path} holds no {' or '.join(METADATA_FILES)}")
        if folder and not self._options.follow_links and not is_remote(path):
            self._linked = [file for file in files if leads_out(file, fixed_folder(path))]
            files = [file for file in files if file not in self._linked]
        if not files:
            raise ConfigError(f"{self._linked[0]} leads out of its folder by a link: --follow-links reads it")
        return self._top(folder, files), files

    def _top(self, folder: str, files: list[str]) -> str:
        """The folder that was given, with a slash; of one file, its own."""
        top = f"{self._path.rstrip('/')}/"
        return top if files[0].startswith(top) else folder

    def _find(
        self, cell: Any, row: dict[str, Any], place: str, where: str, file: str
    ) -> tuple[str, Location | Problem]:
        folder = file[len(self._folder) :].rpartition("/")[0]
        relative = isinstance(cell, str) and cell.strip() and not is_url(cell) and not cell.startswith("/")
        name = f"{folder}/{cell}" if folder and relative else cell
        if relative and self._is_excluded(name):
            return name, Problem(kind="excluded", message="--exclude leaves it out", skip=True)
        return super()._find(name, row, place, where, file)

    def _is_excluded(self, name: str) -> bool:
        """Whether a picture that a row names is left out; the usual patterns do not concern it."""
        own = [pattern for pattern in self._options.exclude if pattern != NONE]
        return bool(own) and Exclusion((*own, NONE)).covers(name)
