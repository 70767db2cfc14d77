"""Records of a CSV file; a quote that is never closed costs its own line, not the rest of the file."""

from __future__ import annotations

import csv
import dataclasses
from collections import deque
from collections.abc import Iterator
from typing import TextIO

MAX_RECORD = 16 * 1024 * 1024
"""Characters of one record, and so of a cell."""


@dataclasses.dataclass(frozen=True, slots=True)
class Unclosed:
    """A line that is not a record, and why."""

    message: str


_OPEN = "a quote that is not closed"


class _TooLongError(Exception):
    """A record is longer than any should be."""


class Records:
    """``line``: the number of the line that was read last, from 1; ``is_behind`` the place of the file."""

    def __init__(self, file: TextIO, delimiter: str, *, columns: int, line: int = 0) -> None:
        self._file = file
        self._delimiter = delimiter
        self._columns = columns
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._size = 0
        self.line = line

    @property
    def is_behind(self) -> bool:
        """Whether lines that were read from the file come again."""
        return bool(self._again)

    def read(self) -> Iterator[tuple[int, list[str] | Unclosed]]:
        """Each record with the line that it begins in; quoted texts may run over several lines."""
        reader = self._reader()
        while True:
            self._taken, self._size = [], 0
            start = self.line + 1
            try:
                fields = next(reader)
            except StopIteration:
                return
            except _TooLongError:
                yield start, self._give_back(f"a record of more than {MAX_RECORD:,} characters")
                reader = self._reader()
                continue
            except csv.Error:
                yield start, self._give_back(_OPEN) if len(self._taken) > 1 else self._lenient()
                reader = self._reader()
                continue
            if len(self._taken) > 1 and len(fields) > self._columns:
                yield start, self._give_back(_OPEN)
                reader = self._reader()
            else:
                yield start, fields

    def _reader(self) -> Iterator[list[str]]:
        return csv.reader(self, delimiter=self._delimiter, strict=True)

    def _lenient(self) -> list[str]:
        """The fields of a line with quotes within its cells."""
        return next(csv.reader(self._taken[:1], delimiter=self._delimiter), [])

    def _give_back(self, message: str) -> Unclosed:
        """Read the lines after the first of this record again, as records of their own."""
        self._again.extendleft(reversed(self._taken[1:]))
        self.line -= len(self._taken) - 1
        return Unclosed(message)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(MAX_RECORD + 1)
        if not line:
            raise StopIteration
        self._taken.append(line)
        self.line += 1
        self._size += len(line)
        if self._size > MAX_RECORD:
            raise _TooLongError
        return line
