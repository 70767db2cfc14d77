"""What the commands that edit a dataset share: its options, progress, and what an edit did."""

from __future__ import annotations

import contextlib
import dataclasses
import signal
import sys
import time
from collections.abc import Iterator
from typing import Annotated, Final

from cyclopts import Parameter

from cutline.dataset.dataset import Dataset
from cutline.dataset.opener import open_dataset
from cutline.dataset.records import EditResult
from cutline.dataset.writer import Progress, StopEdit
from cutline.formatting import plural
from cutline.terminal import print_error, print_line

_SHOWN: Final = 5  # names of files
_INTERVAL: Final = 0.1  # seconds between two lines of progress

Folder = Annotated[str, Parameter(help="The folder of the pictures, whose captions lie beside them.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """How the captions of the folder are kept."""

    sidecar_ext: str = ".txt"
    """Ending of the captions' files, such as .caption."""
    one_a_line: bool = False
    """Each line of a file is a caption of its own, and edited by itself."""
    text_encoding: str | None = None
    """Encoding of texts that are not UTF-8, where it is not found by itself."""

    def open(self, folder: str) -> Dataset:
        """Raises ConfigError: it is no folder of pictures."""
        dataset = open_dataset(
            folder,
            sidecar_ext=self.sidecar_ext,
            one_a_line=self.one_a_line,
            text_encoding=self.text_encoding,
        )
        for result in dataset.recovered:
            print_line(f"finished an interrupted edit: {outcome(result)}")
        return dataset


DEFAULTS: Final = DatasetOptions()


def outcome(result: EditResult) -> str:
    parts = [f"{result.summary}, {plural(result.written, 'file')} written"]
    if result.conflicts:
        parts.append(f"{plural(len(result.conflicts), 'file')} changed since, left alone")
    if result.failed:
        parts.append(f"{len(result.failed)} failed")
    if result.stopped:
        parts.append(f"stopped before {result.stopped:,} more")
    return "; ".join(parts)


def exit_code(result: EditResult) -> int:
    """Names what was left alone; 1 where there is any."""
    for file in result.conflicts[:_SHOWN]:
        print_error(f"{file} was changed since, and is left alone")
    for _, problem in result.failed[:_SHOWN]:
        print_error(problem)
    if result.stopped:
        return 130
    return 1 if result.conflicts or result.failed else 0


@contextlib.contextmanager
def edit_progress(total: int) -> Iterator[Progress]:
    """Progress at a terminal; Ctrl-C ends the edit between two files."""
    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = {sign: signal.signal(sign, interrupt) for sign in (signal.SIGINT, signal.SIGTERM)}
    shown = 0.0

    def progress(done: int) -> None:
        nonlocal shown
        if interrupted:
            raise StopEdit
        if sys.stderr.isatty() and (now := time.monotonic()) - shown > _INTERVAL:
            shown = now
            sys.stderr.write(f"\r{done:,} of {total:,}")
            sys.stderr.flush()

    try:
        yield progress
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        if shown:
            sys.stderr.write("\r\x1b[K")
