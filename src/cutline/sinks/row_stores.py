"""Stores of encoded rows: one grows in place, the other stages rows and publishes the output at the end."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import orjson

from cutline.errors import OutputExists, SinkError
from cutline.files import write_errors
from cutline.records import JSON
from cutline.sinks.append_only_file import AppendOnlyFile, output_changed
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import OwnershipRecord, file_identity, output_exists
from cutline.sinks.targets import LocalTarget, Target, target
from cutline.storage import try_writing


class Store(Protocol):
    """Keeps encoded rows; methods as in Sink."""

    @property
    def records(self) -> int:
        """Rows so far, in the file that grows."""

    @property
    def outputs(self) -> list[Path | str]: ...

    def append(self, record: bytes, /) -> None: ...

    def check_open(self, mark: JSON | None) -> None: ...

    def open(self, mark: JSON | None) -> None: ...

    def commit(self) -> JSON: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class RowStore(ABC):
    """Appends encoded rows to a file; the other methods are those of a Sink."""

    def __init__(self, file: AppendOnlyFile, target: Target, record: Path, options: SinkOptions) -> None:
        """``record``: file of the state folder that holds the output's OwnershipRecord."""
        self._target = target
        self._file = file
        self._record = OwnershipRecord(record, options.recorded)
        self._options = options
        self.append = self._file.append

    @abstractmethod
    def check_open(self, mark: JSON | None) -> None: ...

    def open(self, mark: JSON | None) -> None:
        self.check_open(mark)
        self._target.prepare()
        if mark is None:
            self._file.start()
        else:
            self._file.resume(mark)

    @property
    def records(self) -> int:
        return self._file.records

    def commit(self) -> JSON:
        return self._file.commit()

    @abstractmethod
    def finish(self) -> None: ...

    def close(self) -> None:
        self._file.close()

    @property
    def outputs(self) -> list[Path | str]:
        return [self._target.location]


class InPlaceStore(RowStore):
    """The output itself grows, so that it can be followed; ``open`` cuts it back to the mark."""

    def __init__(self, path: Path, record: Path, options: SinkOptions) -> None:
        super().__init__(AppendOnlyFile(path), LocalTarget(path), record, options)

    def check_open(self, mark: JSON | None) -> None:
        if not self._target.exists():
            return
        if mark is None and not self._options.overwrite and not self._is_ours():
            raise output_exists(self._target.name)
        if mark is not None and self._record.stamps and not self._record.covers(self._target):
            raise output_changed(self._target.name)

    def open(self, mark: JSON | None) -> None:
        super().open(mark)
        self._record.save(identity=file_identity(self._file.path))

    def finish(self) -> None:
        self._file.commit()
        self._file.close()
        self._record.save(stamps=[self._target.stamp()])

    def remove(self) -> None:
        """Remove the output."""
        self._file.close()
        self._file.path.unlink(missing_ok=True)
        self._record.save()

    def _is_ours(self) -> bool:
        return self._record.describes(self._target, self._file.path)


class ListStore(InPlaceStore):
    """A list beside an output: each run writes it again, unless it was edited since."""

    def check_open(self, mark: JSON | None) -> None:  # noqa: ARG002 - what is recorded decides
        if self._options.overwrite or not self._record.stamps:
            return
        if self._target.exists() and not self._record.covers(self._target):
            raise OutputExists(
                f"{self._target.name} was edited since it was written: move it away, choose another output, "
                "or replace both with --existing overwrite"
            )


class StagedStore(RowStore):
    """Rows are staged in the state folder; ``finish`` converts them and publishes the output.

    ``convert(rows, part)`` writes the output's content from the staged rows. It runs only when
    rows were added since the last time, or the output is not there.
    """

    def __init__(
        self, output: str, state: Path, options: SinkOptions, convert: Callable[[Path, Path], None]
    ) -> None:
        rows = AppendOnlyFile(state / "rows.part", replaceable=True)
        super().__init__(rows, target(output), state / "output.json", options)
        self._part = state / "output.part"
        self._convert = convert

    def check_open(self, mark: JSON | None) -> None:  # noqa: ARG002 - the rows are in a file of the state
        self._refuse_foreign()
        try_writing(self._target.name)

    def open(self, mark: JSON | None) -> None:
        super().open(mark)
        self._target.remove_part()
        self._part.unlink(missing_ok=True)

    def finish(self) -> None:
        made_of = {"rows": self._file.commit(), "compression": self._options.parquet_compression}
        self._file.close()
        self._refuse_foreign()
        is_there = self._target.exists() and self._record.covers(self._target)
        if is_there and self._record.data.get("made_of") == made_of:
            return
        with write_errors(self._part):
            self._converted()
            stamps = [*self._record.stamps, self._target.stamp(self._part)]
        # Both stamps hold until the rename is known to have happened: a kill may come on either side.
        self._record.save(stamps=stamps)
        self._target.publish(self._part)
        self._record.save(stamps=[self._target.stamp()], made_of=made_of)

    def _converted(self) -> None:
        try:
            self._convert(self._file.path, self._part)
        except orjson.JSONDecodeError as error:
            self._file.path.unlink()
            raise SinkError(
                f"{self._file.path} was damaged; run the same command again: the output is made again from "
                "the journal, without requests"
            ) from error

    def _refuse_foreign(self) -> None:
        if self._target.exists() and not self._options.overwrite and not self._record.covers(self._target):
            raise output_exists(self._target.name)


def copy(rows: Path, part: Path, before: bytes = b"", after: bytes = b"") -> None:
    """Write the rows to ``part``, between ``before`` and ``after``; in bounded memory."""
    with rows.open("rb") as source, part.open("wb") as file:
        file.write(before)
        shutil.copyfileobj(source, file, 1 << 20)
        file.write(after)
