"""A file of captions that is shared with others: what was in it before us stays in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from cutline.errors import OutputExists
from cutline.files import write_atomically, write_errors
from cutline.records import JSON
from cutline.sinks.append_only_file import output_changed
from cutline.sinks.options import SinkOptions
from cutline.sinks.ownership import OwnershipRecord
from cutline.sinks.row_stores import StagedStore
from cutline.sinks.targets import target

Before = Mapping[str, object]


class MergedStore:
    """Gathers rows as ``StagedStore`` does, and publishes them together with what was there before.

    What was there is copied into the state folder before anything is asked, and the file is then known
    as ours to replace, as long as nobody changes it. ``read`` makes a mapping of a file's content, or None
    of what is no such file.
    """

    def __init__(
        self,
        output: str,
        state: Path,
        options: SinkOptions,
        read: Callable[[bytes], Before | None],
        convert: Callable[[Before, Path, Path], None],
    ) -> None:
        self._output = output
        self._state = state
        self._options = options
        self._read = read
        self._convert = convert
        self._target = target(output)
        self._base = state / "before.json"
        self._inner: StagedStore | None = None
        self.before: Before = {}

    def open(self, mark: JSON | None) -> None:
        """Go on after ``mark``.

        Raises:
            OutputExists: something is there that the options do not allow to be added to.
        """
        self.close()
        record = OwnershipRecord(self._state / "output.json")
        if not self._target.exists():
            self._base.unlink(missing_ok=True)
        elif not record.covers(self._target):
            self._take_in(record)
        self.before = (self._read(self._base.read_bytes()) if self._base.exists() else None) or {}
        # A copy of its own, because what it knows of the output may just have been written.
        self._inner = StagedStore(
            self._output,
            self._state,
            self._options,
            lambda rows, part: self._convert(self.before, rows, part),
        )
        self._inner.open(mark)

    def _take_in(self, record: OwnershipRecord) -> None:
        """Keep what someone else wrote, and note that this is the file we will replace."""
        existing, name = self._options.existing, self._target.name
        content = self._target.read()
        usable = self._read(content) is not None
        if not self._options.overwrite:
            if existing is None or not usable:
                why = "and not as this job left it" if usable else "and holds no captions by key"
                cure = "keep its captions with --existing skip, append or prepend" if usable else ""
                choices = ", ".join(filter(None, ["choose another output", cure]))
                raise OutputExists(
                    f"{name} is there already {why}: {choices}, or replace them with --existing overwrite"
                )
            if existing != "skip" and ("made_of" in record.data or len(record.stamps) > 1):
                raise output_changed(name)  # its captions are partly ours: joining would join with ourselves
        with write_errors(self._base):
            write_atomically(self._base, content if usable else b"{}")
        record.save(stamps=[self._target.stamp()])

    @property
    def _store(self) -> StagedStore:
        assert self._inner, "open comes first"
        return self._inner

    def append(self, record: bytes) -> None:
        self._store.append(record)

    @property
    def records(self) -> int:
        return self._store.records

    def commit(self) -> JSON:
        return self._store.commit()

    def finish(self) -> None:
        self._store.finish()

    def close(self) -> None:
        if self._inner:
            self._inner.close()

    @property
    def outputs(self) -> list[Path | str]:
        return [self._target.location]
