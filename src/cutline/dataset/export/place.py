"""The destination of an export: written to a working folder beside it, then moved there."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import filelock

from cutline.dataset.export.merge import merge_folder
from cutline.errors import ConfigError, OutputExists
from cutline.files import sync_file, sync_folder, write_errors
from cutline.locations.roots import is_within
from cutline.sidecars.claims import FolderClaim
from cutline.sources.outputs import is_failures_list, is_written_whole, state_folder_of, state_of_output

_LOCK: Final = "lock"


class ExportPlace:
    """The destination of an export, empty before ``publish``.

    ``protected``: folders that it must not overlap. ``is_export`` tells whether an earlier export of this
    format wrote a file; a folder with other files is never replaced. Without it files are added to the
    folder, beside others and the table that they come from.
    """

    def __init__(
        self,
        output: Path,
        protected: tuple[str, ...],
        *,
        is_folder: bool,
        overwrite: bool,
        is_export: Callable[[Path], bool] | None,
    ) -> None:
        """Raises ConfigError or OutputExists if the destination cannot be used."""
        self.output, self._protected = output, protected
        self._is_folder, self._overwrite, self._is_export = is_folder, overwrite, is_export
        self._check_apart(protected)
        self._check_free()

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """A working folder on the same file system, without remains of an interrupted export.

        Raises:
            ConfigError: another process exports to the same place.
            SinkError: the place cannot be written.
        """
        parent = self.output.parent
        digest = hashlib.blake2b(os.fsencode(self.output), digest_size=6).hexdigest()
        folder = parent / f".cutline-export-{digest}"
        with write_errors(self.output):
            parent.mkdir(parents=True, exist_ok=True)
            folder.mkdir(exist_ok=True)
            if folder.is_symlink():
                raise ConfigError(f"{folder} is a link: remove it")
            lock = filelock.FileLock(folder / _LOCK)
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                raise ConfigError(f"another export to {self.output} is running: wait until it ends") from None
        try:
            with write_errors(self.output):
                _empty(folder)
                yield folder
        finally:
            _empty(folder)
            (folder / _LOCK).unlink(missing_ok=True)
            lock.release()
            with contextlib.suppress(OSError):
                folder.rmdir()

    def publish(self, made: Path) -> int:
        """Move a finished file or folder from the working folder to its place.

        Returns the number of texts of others that were replaced, which can be undone.
        """
        self._check_free()
        with write_errors(self.output):
            if self._is_export is None:
                self.output.mkdir(exist_ok=True)
                claim = FolderClaim(self.output, ".txt")
                try:
                    return merge_folder(made, self.output, self._protected, overwrite=self._overwrite)
                finally:
                    claim.release()
            if not self._is_folder:
                sync_file(made)
            else:
                os.sync()
            if self._is_folder and self.output.exists():
                _exchange(made, self.output)
            else:
                made.replace(self.output)
            sync_folder(self.output.parent)
        return 0

    def _check_apart(self, protected: tuple[str, ...]) -> None:
        real = os.path.realpath(self.output)
        is_beside = self._is_export is None and not os.path.isdir(protected[0])  # noqa: PTH112 - a string
        for folder in protected:
            if is_within(real, folder) or (is_within(folder, real) and not is_beside):
                raise ConfigError(
                    f"{self.output} overlaps {folder}, the dataset: choose a place outside of it"
                )
        if folder := state_folder_of(real):
            raise ConfigError(
                f"{self.output} is in {folder}, the state of a run: choose a place outside of it"
            )
        folder = state_of_output(real)
        if folder and (self._is_export is not None or is_written_whole(folder)):
            raise ConfigError(
                f"{self.output} belongs to the run whose state is in {folder}: choose another place"
            )
        if is_failures_list(real):
            raise ConfigError(f"{self.output} is the list of failures of a run: choose another place")

    def _check_free(self) -> None:
        try:
            mode = self.output.lstat().st_mode
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"cannot use {self.output}: {error.strerror}") from error
        if stat.S_ISLNK(mode):
            raise ConfigError(f"{self.output} is a link: give its target")
        if self._is_folder != stat.S_ISDIR(mode) or not (self._is_folder or stat.S_ISREG(mode)):
            raise ConfigError(
                f"{self.output} is not a {'folder' if self._is_folder else 'file'}: give another name"
            )
        if self._is_export is None:
            return
        files = self._files() if self._is_folder else iter([self.output])
        if next(files, None) is not None and not self._overwrite:
            raise OutputExists(
                f"{self.output} already exists: choose another, or replace it with --overwrite"
            )
        if self._is_folder and (other := self._foreign()) is not None:
            raise OutputExists(
                f"{self.output} holds {other.name}, which no such export wrote: choose another folder"
            )

    def _files(self) -> Iterator[Path]:
        return (file for file in self.output.rglob("*") if file.is_symlink() or not file.is_dir())

    def _foreign(self) -> Path | None:
        return next((file for file in self._files() if self._is_export and not self._is_export(file)), None)


def _exchange(made: Path, output: Path) -> None:
    """Swap two folders."""
    earlier = made.with_name("earlier")
    output.rename(earlier)
    try:
        made.rename(output)
    except OSError:
        earlier.rename(output)
        raise


def _empty(folder: Path) -> None:
    for child in folder.iterdir():
        if child.name == _LOCK:
            continue
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        else:
            child.unlink()
