"""An output in numbered files of a fixed number of rows: every file is published as soon as it is full."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cutline.files import write_errors
from cutline.records import JSON
from cutline.sinks.append_only_file import AppendOnlyFile
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import OwnershipRecord, output_exists
from cutline.sinks.shards import NumberedNames, ShardFolder
from cutline.storage import is_remote, local_path

_NOTHING: JSON = {"size": 0, "records": 0, "tail": 0}


class PartsStore:
    """``out-00000.parquet``, ``out-00001.parquet`` … for the output ``out.parquet``; methods as in Sink.

    The rows of the file in progress are staged in the state folder. The last file may have fewer rows; more
    rows later replace it. ``convert`` as in ``StagedStore``.
    """

    def __init__(
        self, output: str, state: Path, options: SinkOptions, convert: Callable[[Path, Path], None]
    ) -> None:
        folder, _, name = (output if is_remote(output) else local_path(output)).rpartition("/")
        stem, dot, ending = name.rpartition(".")
        names = NumberedNames(prefix=f"{stem}-", ending=dot + ending)
        self._folder = ShardFolder(folder or ".", state / "shards.jsonl", options.recorded, names)
        self._record = OwnershipRecord(state / "parts.json")
        self._names, self._state, self._options, self._convert = names, state, options, convert
        self._part = state / "output.part"
        self._number = 0
        self._file = AppendOnlyFile(self._rows(0))

    @property
    def records(self) -> int:
        return self._file.records

    def check_open(self, mark: JSON | None) -> None:
        self._folder.create()
        foreign = self._folder.foreign() if mark is None else None
        if foreign and not self._options.overwrite:
            raise output_exists(f"{self._folder.name}/{foreign}")

    def open(self, mark: JSON | None) -> None:
        self.close()
        self.check_open(mark)
        self._number = mark["file"] if mark else 0
        if mark is None:
            self._folder.start()
            self._record.save()
        else:
            self._folder.check_whole(self._number)
            self._folder.remove_from(self._number + 1, earlier=False)
        for path in self._state.glob("rows-*.part"):
            if mark is None or path != self._rows(self._number):
                path.unlink()
        self._begin(mark["part"] if mark else None)

    def append(self, record: bytes) -> None:
        if self._file.records >= self._options.rows_per_file:
            self._number += 1
            self._begin(None)
        self._file.append(record)
        if self._file.records >= self._options.rows_per_file:
            self._publish(self._file.commit())

    def commit(self) -> JSON:
        return {"file": self._number, "part": self._file.commit()}

    def finish(self) -> None:
        rows = self._file.commit()
        if rows["records"] or not self._number:
            self._publish(rows)
        self._file.close()
        self._folder.remove_from(self._number + 1, earlier=True)

    def close(self) -> None:
        self._file.close()

    @property
    def outputs(self) -> list[Path | str]:
        pattern = f"{self._folder.name}/{self._names.prefix}*{self._names.ending}"
        return [pattern if self._folder.remote else Path(pattern)]

    def _begin(self, mark: JSON | None) -> None:
        self._file.close()
        self._file = AppendOnlyFile(self._rows(self._number))
        if mark is None:
            self._file.start()
            # Those of the file before stay until now: a run that died continues from them.
            self._rows(self._number - 2).unlink(missing_ok=True)
        else:
            self._file.resume(mark)

    def _publish(self, rows: JSON) -> None:
        """Convert the staged rows and publish their file, unless it is there with the same rows."""
        made_of = {"file": self._number, "rows": rows, "compression": self._options.parquet_compression}
        if self._record.data.get("made_of") == made_of and self._folder.size(self._number) is not None:
            return
        with write_errors(self._part):
            self._convert(self._file.path, self._part)
        self._folder.publish(self._part, self._number)
        self._record.save(made_of=made_of)

    def _rows(self, number: int) -> Path:
        return self._state / f"rows-{number:05}.part"
