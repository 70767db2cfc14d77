"""Shared by the commands that edit a dataset: its options, progress, and results of edits."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import Parameter

from cutline.dataset.dataset import Dataset
from cutline.dataset.export.names import edited_copy
from cutline.dataset.input_options import TableOptions
from cutline.dataset.opener import open_dataset
from cutline.dataset.records import EditResult
from cutline.dataset.writer import Progress, StopEdit
from cutline.display import PLAIN_INTERVAL
from cutline.formatting import duration, plural, printable
from cutline.sinks.chosen_captions import split_choice
from cutline.terminal import print_error, print_line

_SHOWN: Final = 5  # names of files
_ESTIMABLE: Final = 2.0  # seconds
_INTERVAL: Final = 0.1  # seconds between two lines of progress

Input = Annotated[
    str,
    Parameter(
        help="A folder of pictures with their captions beside them, the output of a run or another table, or "
        "shards: a tar, or a folder of tars. out.jsonl:NAME takes the captions of one of several prompts."
    ),
]


def _not_an_option(_type: object, query: object) -> None:
    if isinstance(query, str) and re.fullmatch(r"--[a-z][a-z-]*(=.*)?", query):
        raise ValueError("this is an option, and not a query")


Query = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_not_an_option)]
"""Such as ``-dog``."""
Where = Annotated[Query, Parameter(help="Only the captions that match, as in `cutline find`.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DatasetOptions:
    """How the pictures and captions of the input are kept."""

    sidecar_ext: str = ".txt"
    """Ending of the captions' files, such as .caption."""
    one_a_line: bool = False
    """Each line of a file is a separate caption."""
    text_encoding: str | None = None
    """Encoding of texts that are not UTF-8, if it is not detected."""

    image_root: str | None = None
    """Folder, tar, zip or table of a table's pictures; no others are read. By default the table's folder,
    and the tar, zip or table that the run read."""
    image_column: str | None = None
    """Column of a table with the paths of its pictures, if it is not found by its name."""
    text_column: str | None = None
    """Column of a table with its captions, if it is not found by its name."""
    follow_links: bool = False
    """Read pictures of a table, and read and write texts beside pictures, also where links lead out of the
    folder."""

    def open(self, folder: str) -> Dataset:
        """Raises ConfigError: it cannot be opened."""
        dataset = open_dataset(
            folder,
            sidecar_ext=self.sidecar_ext,
            one_a_line=self.one_a_line,
            text_encoding=self.text_encoding,
            image_root=self.image_root,
            image_column=self.image_column,
            text_column=self.text_column,
            follow_links=self.follow_links,
        )
        for result in dataset.recovered:
            print_line(f"finished an interrupted edit: {outcome(result)}")
        print_superseded(dataset)
        print_several(dataset)
        return dataset

    def print_unchanged(self, folder: str, results: Iterable[EditResult]) -> None:
        """Print what ``print_export`` does if captions of an input that is only read were edited."""
        if any(result.unit == "caption" and result.written for result in results):
            self.print_export(folder)

    def print_export(self, folder: str) -> None:
        """Print how to write captions that were edited in the history alone, as of tables and tars."""
        name = printable(Path(split_choice(folder)[0]).name)
        command = shlex.join(("cutline", "export", folder, *edited_copy(folder), *self._arguments()))
        print_line(f"{name} is unchanged: `{printable(command)}` writes the edited captions")

    def _arguments(self) -> Iterator[str]:
        """The options of tables, as on the command line."""
        for name, value in dataclasses.asdict(self.tables).items():
            option = f"--{name.replace('_', '-')}"
            if value is True:
                yield option
            elif value:
                yield from (option, value)

    @property
    def tables(self) -> TableOptions:
        return TableOptions(
            image_root=self.image_root,
            image_column=self.image_column,
            text_column=self.text_column,
            follow_links=self.follow_links,
        )


def print_superseded(dataset: Dataset) -> None:
    """Print the edited captions that are not shown, as the input was replaced."""
    keys = dataset.superseded
    if keys:
        names = ", ".join(map(printable, keys[:_SHOWN])) + (", …" if len(keys) > _SHOWN else "")
        print_line(
            f"{plural(len(keys), 'caption')} edited before the input was replaced by other texts, which are "
            f"shown instead: {names}; `cutline history --picture` prints what was edited"
        )


def print_several(dataset: Dataset) -> None:
    """Print which captions are shown where rows have several."""
    if dataset.choice_note:
        print_line(dataset.choice_note)
    if dataset.with_several:
        print_line(
            f"{plural(dataset.with_several, 'row')} with several captions in a list: the first one is used"
        )


DEFAULTS: Final = DatasetOptions()


def outcome(result: EditResult) -> str:
    done = {"file": "written", "caption": "edited"}.get(result.unit, "changed")
    parts = [f"{result.summary}, {plural(result.written, result.unit)} {done}"]
    if result.converted:
        parts.append(f"in UTF-8 now, {conversions(result.converted)}")
    if result.conflicts:
        parts.append(f"{plural(len(result.conflicts), result.unit)} changed since, left alone")
    if result.failed:
        parts.append(f"{len(result.failed)} failed")
    if result.stopped:
        parts.append(f"stopped before {result.stopped:,} more")
    return "; ".join(parts)


def conversions(counts: Iterable[tuple[str, int]]) -> str:
    """Why files become UTF-8, and how many of each encoding."""
    files = ", ".join(f"{plural(count, 'file')} in {encoding}" for encoding, count in sorted(counts))
    return f"as their encoding lacks a character: {files}"


def exit_code(result: EditResult) -> int:
    """Print what was not changed, and why; returns 1 if there is any."""
    for file in result.conflicts[:_SHOWN]:
        print_error(f"{file} was changed since, and stays unchanged")
    for _, problem in result.failed[:_SHOWN]:
        print_error(problem)
    if result.stopped:
        return 130
    return 1 if result.conflicts or result.failed else 0


@contextlib.contextmanager
def edit_progress(total: int) -> Iterator[Progress]:
    """Show progress, with the time left if it takes seconds; Ctrl-C stops the edit between two files."""
    interrupted = False

    def interrupt(_number: int, _frame: object) -> None:
        nonlocal interrupted
        interrupted = True

    before = {sign: signal.signal(sign, interrupt) for sign in (signal.SIGINT, signal.SIGTERM)}
    is_terminal = sys.stderr.isatty()
    shown, start = 0.0, time.monotonic()

    def progress(done: int) -> None:
        nonlocal shown
        if interrupted:
            raise StopEdit
        now = time.monotonic()
        if is_terminal and now - shown > _INTERVAL:
            shown = now
            sys.stderr.write(f"\r{_figures(done, total, now - start)}\x1b[K")
            sys.stderr.flush()
        elif not is_terminal and now - max(start, shown) > PLAIN_INTERVAL:
            shown = now
            print_line(_figures(done, total, now - start))

    try:
        yield progress
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
        if shown and is_terminal:
            sys.stderr.write("\r\x1b[K")


def _figures(done: int, total: int, seconds: float) -> str:
    figures = f"{done:,} of {total:,}"
    if not done or seconds < _ESTIMABLE:
        return figures
    rate = done / seconds
    return f"{figures} · {rate:,.0f}/s · {duration((total - done) / rate)} left"
