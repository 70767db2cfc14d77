"""Hugging Face's imagefolder: pictures, and a ``metadata`` table beside them with a row for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from cutline.errors import ConfigError
from cutline.imaging import EXTENSIONS
from cutline.sources.input_files import expand
from cutline.sources.names import METADATA_FILES, is_metadata_file
from cutline.sources.table import TableSource
from cutline.storage import is_url

if TYPE_CHECKING:
    from cutline.records import Location, Problem
    from cutline.sources.unread_files import Named


class ImageFolderSource(TableSource):
    """A sample for each row of the ``metadata`` files of a folder and its sub-folders.

    The column ``file_name`` is the picture's path relative to its metadata file; keys are relative to the
    folder. Pictures that no row names are left over.
    """

    _default_column: ClassVar[str] = "file_name"

    def _note_unread(self, named: Named) -> None:
        endings = tuple(f".{ending}" for ending in EXTENSIONS)
        try:
            folder, files = expand(self._path, endings, recursive=self._options.recursive)
        except ConfigError:
            return
        del folder
        for file in files:
            if not named.has(file):
                self._notes.note("not-in-metadata", file[len(self._folder) :].replace("\\", "/"))

    def _list_files(self, path: str) -> tuple[str, list[str]]:
        folder, files = expand(
            path, METADATA_FILES, recursive=self._options.recursive, outputs=self._options.outputs
        )
        files = [file for file in files if is_metadata_file(file)]
        if not files:
            raise ConfigError(f"{path} holds no {' or '.join(METADATA_FILES)}")
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
        return super()._find(f"{folder}/{cell}" if folder and relative else cell, row, place, where, file)
