"""Exports the pictures and captions of a dataset."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cutline.dataset.export.absence import none_found
from cutline.dataset.export.names import FORMATS, export_format
from cutline.dataset.export.pictures_there import PicturesThere
from cutline.dataset.export.place import ExportPlace
from cutline.dataset.export.records import ExportItem, ExportOptions, ExportResult
from cutline.dataset.export.writers import WRITERS, Writer, exported_files
from cutline.dataset.writer import Progress, StopEdit
from cutline.errors import ConfigError, PictureError, SampleError
from cutline.storage import check_scheme, is_remote, local_path

_FIRST: Final = 10  # pictures, of which at least one must be there


class Export:
    """One export. ``protected``: real paths of folders that the output must not overlap.

    Memory is independent of the size of the pictures; an archive keeps the name of each.
    """

    def __init__(self, output: str, protected: tuple[str, ...], options: ExportOptions) -> None:
        """Raises ConfigError: the output or its format is invalid; OutputExists: it exists already."""
        check_scheme(output)
        if is_remote(output):
            raise ConfigError(f"cannot export to {output}: export to this machine, and copy it from there")
        if not output or "\0" in output:
            raise ConfigError("give the name of a file or folder to export to")
        self.format = export_format(output, options.format)
        path = Path(os.path.abspath(local_path(output)))  # noqa: PTH100 - resolve() would follow links
        self._options = options
        self._place = ExportPlace(
            path,
            protected,
            is_folder=not FORMATS[self.format],
            overwrite=options.overwrite,
            is_export=exported_files(self.format, path),
        )
        self._written = self._missing = self._replaced = 0
        self._failed: list[tuple[str, str]] = []
        self._there = PicturesThere(path) if self.format == "texts" else None
        self._unread: list[ExportItem] = []  # until the first picture is written

    def run(self, items: Iterable[ExportItem], total: int, progress: Progress | None = None) -> ExportResult:
        """Write pictures and captions; the output appears once it is complete.

        ``progress`` is called with the number of finished pictures; ``StopEdit`` from it ends the export and
        removes it.

        Raises:
            ConfigError: there is nothing to export, or another export to the same output is running.
            SinkError: the output cannot be written.
        """
        is_stopped = False
        with (
            self._place.work() as folder,
            contextlib.closing(WRITERS[self.format](folder, self._options)) as writer,
        ):
            try:
                for number, item in enumerate(items):
                    if progress is not None:
                        progress(number)
                    self._add(writer, item)
            except StopEdit:
                is_stopped = True
            if self._written and not is_stopped:
                if self._there is not None:
                    self._there.check()
                self._replaced = self._place.publish(writer.finish())
        if len(self._unread) == len(self._failed) < _FIRST and not self._written:
            self._check_found()
        if not is_stopped and self._missing == total:
            raise ConfigError(
                "there is nothing to export: "
                + ("no picture has a caption; --empty exports them" if total else "no picture matches")
            )
        return self._result(total)

    def _result(self, total: int) -> ExportResult:
        return ExportResult(
            output=self._place.output,
            format=self.format,
            written=self._written,
            missing=self._missing,
            failed=tuple(self._failed),
            stopped=total - self._written - self._missing - len(self._failed),
            alone=tuple(self._there.alone) if self._there is not None else (),
            replaced=self._replaced,
        )

    def _add(self, writer: Writer, item: ExportItem) -> None:
        if item.problem:
            self._failed.append((item.key, item.problem))
        elif item.caption is None and not self._options.empty:
            self._missing += 1
        else:
            try:
                placed = self._there.place(item) if self._there is not None else item
                writer.add(placed, item.place().read() if writer.needs_picture else b"")
            except (PictureError, SampleError) as error:
                self._failed.append((item.key, str(error)))
                if not self._written and len(self._unread) < _FIRST:
                    self._unread.append(item)
                    if len(self._failed) == len(self._unread) == _FIRST:
                        self._check_found()
            else:
                self._written += 1
                self._unread.clear()

    def _check_found(self) -> None:
        """Raise ConfigError if none of the pictures so far is there."""
        if error := none_found(self._unread):
            raise error
