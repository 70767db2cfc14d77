"""The two ways a file of rows comes to be: it grows in place, or it is made at the end."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cutline.files import write_errors
from cutline.records import JSON
from cutline.sinks.append_only_file import AppendOnlyFile, output_changed
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import OwnershipRecord, output_exists
from cutline.sinks.targets import LocalTarget, target
from cutline.storage import try_writing


class Store(Protocol):
    """Keeps encoded rows; its methods are those of a Sink, with bytes for outcomes."""

    def check_open(self, mark: JSON | None) -> None: ...
    def open(self, mark: JSON | None) -> None: ...
    def append(self, record: bytes) -> None: ...
    @property
    def records(self) -> int: ...
    def commit(self) -> JSON: ...
    def finish(self) -> None: ...
    def close(self) -> None: ...
    @property
    def outputs(self) -> list[Path | str]: ...


class InPlaceStore:
    """The output itself grows, so that people can follow it; cut back on ``open``."""

    def __init__(self, path: Path, note: Path, options: SinkOptions) -> None:
        self._target = LocalTarget(path)
        self._file = AppendOnlyFile(path)
        self._record = OwnershipRecord(note)
        self._overwrite = options.overwrite

    def check_open(self, mark: JSON | None) -> None:
        if not self._target.exists():
            return
        if mark is None and not self._overwrite and not self._is_ours():
            raise output_exists(self._target.name)
        if mark is not None and self._record.stamps and not self._record.covers(self._target):
            raise output_changed(self._target.name)

    def open(self, mark: JSON | None) -> None:
        self.check_open(mark)
        if mark is None:
            self._file.start()
        else:
            self._file.resume(mark)
        self._record.save(identity=_identity(self._file.path))

    def append(self, record: bytes) -> None:
        self._file.append(record)

    @property
    def records(self) -> int:
        return self._file.records

    def commit(self) -> JSON:
        return self._file.commit()

    def finish(self) -> None:
        self._file.commit()
        self._file.close()
        self._record.save(stamps=[self._target.stamp()])

    def remove(self) -> None:
        """Take the output away again, where a file without rows would only be in the way."""
        self._file.close()
        self._file.path.unlink(missing_ok=True)
        self._record.save()

    def close(self) -> None:
        self._file.close()

    @property
    def outputs(self) -> list[Path | str]:
        return [self._file.path]

    def _is_ours(self) -> bool:
        if self._record.stamps:
            return self._record.covers(self._target)
        return bool(self._record.data.get("identity") == _identity(self._file.path))


def _identity(path: Path) -> JSON:
    """What stays the same while a file grows."""
    status = path.stat()
    return {"inode": status.st_ino, "device": status.st_dev}


class StagedStore:
    """Rows are gathered in the state folder; ``finish`` converts them and publishes the output.

    ``convert(rows, part)`` makes the output's content from the gathered rows. It runs only when
    rows were added since the last time, or the output is not there.
    """

    def __init__(
        self, output: str, state: Path, options: SinkOptions, convert: Callable[[Path, Path], None]
    ) -> None:
        self._target = target(output)
        self._rows = AppendOnlyFile(state / "rows.part")
        self._part = state / "output.part"
        self._record = OwnershipRecord(state / "output.json")
        self._options = options
        self._convert = convert

    def check_open(self, mark: JSON | None) -> None:  # noqa: ARG002 - it is a file of its own
        self._refuse_foreign()
        try_writing(self._target.name)

    def open(self, mark: JSON | None) -> None:
        self.check_open(mark)
        if mark is None:
            self._rows.start()
        else:
            self._rows.resume(mark)

    def append(self, record: bytes) -> None:
        self._rows.append(record)

    @property
    def records(self) -> int:
        return self._rows.records

    def commit(self) -> JSON:
        return self._rows.commit()

    def finish(self) -> None:
        made_of = {"rows": self._rows.commit(), "compression": self._options.parquet_compression}
        self._rows.close()
        self._refuse_foreign()
        if (
            self._record.data.get("made_of") == made_of
            and self._target.exists()
            and self._record.covers(self._target)
        ):
            return
        with write_errors(self._part):
            self._convert(self._rows.path, self._part)
            stamps = [*self._record.stamps, self._target.stamp(self._part)]
        # Both stamps hold until the rename is known to have happened: a kill may come on either side.
        self._record.save(stamps=stamps)
        self._target.publish(self._part)
        self._record.save(stamps=[self._target.stamp()], made_of=made_of)

    def close(self) -> None:
        self._rows.close()

    @property
    def outputs(self) -> list[Path | str]:
        return [self._target.location]

    def _refuse_foreign(self) -> None:
        if self._target.exists() and not self._options.overwrite and not self._record.covers(self._target):
            raise output_exists(self._target.name)


def copy(rows: Path, part: Path, before: bytes = b"", after: bytes = b"") -> None:
    """Make ``part`` of the rows as they are, between ``before`` and ``after``; in bounded memory."""
    with rows.open("rb") as source, part.open("wb") as file:
        file.write(before)
        shutil.copyfileobj(source, file, 1 << 20)
        file.write(after)
