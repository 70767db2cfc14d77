"""Outcomes in source order: reordered, then written to the sink and the lists beside it."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from cutline.engine.content import ContentId, ContentReader
from cutline.engine.failure_stats import FailureStats
from cutline.engine.journal import Journal
from cutline.engine.reorder import Entry
from cutline.engine.sample_outcomes import unwritten
from cutline.engine.state import State
from cutline.engine.stats import Counts
from cutline.errors import ConfigError, OutputGone, SampleError
from cutline.interfaces import Sink
from cutline.records import JSON, Caption, Failure, Sample, Skip
from cutline.serialization import checked
from cutline.sinks.rows import failure_row

Unwritten = tuple[Sample, Skip | Failure]
MARK = "mark.json"
FIRST = 8  # captions that the summary shows
MOST_FAILED = 100  # failures that are kept for the caller; the file has all


def without_form(state: State, name: str) -> None:
    """Drop ``name`` from the mark of an output whose rows do not depend on it, so that any run can resume."""
    mark = state.read(MARK)
    form = mark.get("form") if mark is not None else None
    if mark is not None and isinstance(form, dict) and form.pop(name, None) is not None:
        state.write(MARK, mark)


@contextlib.contextmanager
def _read_mark(file: Path) -> Iterator[None]:
    """Turn errors of a damaged mark, or one of another version, into OutputGone."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise OutputGone(f"{file} is damaged") from error


class SourceDigest:
    """A digest of keys and unread content in order: equal where a source still begins as it did."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.count = 0

    def add(self, key: str, unread: str) -> None:
        """``unread``: see ``ContentId``; of the picture that was captioned, as it may change later."""
        self._hash.update(f"{key}\0{unread}\0".encode("utf-8", "surrogatepass"))
        self.count += 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()


class OrderedOutput:
    """The sink and the lists beside it as one, with marks from which a later run resumes.

    All methods block; one thread calls them. ``lists`` by their names in the mark; ``form`` is what decides
    how outcomes are written; ``on_commit`` is called in that thread after each commit.
    """

    def __init__(
        self,
        sink: Sink,
        lists: Mapping[str, Sink],
        state: State,
        journal: Journal,
        *,
        contents: ContentReader | None = None,
        form: JSON | None = None,
        on_commit: Callable[[], None] = lambda: None,
    ) -> None:
        self.sink = sink
        self._made_by = {"form": form or {}, "drops": journal.drops}
        self.contents = contents or ContentReader()
        self._lists = lists
        self._state = state
        self._journal = journal
        self._on_commit = on_commit
        self._keys = SourceDigest()
        self._dirty = False
        self._marks: JSON = {}
        self.counts = Counts()
        self.causes = FailureStats()
        self.first: list[tuple[str, str]] = []
        self.failed: list[JSON] = []
        self._listed_kinds: set[str] = set()

    def mark(self) -> JSON | None:
        """Where an earlier run left the output; None when this one cannot resume it."""
        if not self.sink.resumable:
            return None
        mark = self._state.read(MARK)
        if mark is None or any(mark.get(name) != value for name, value in self._made_by.items()):
            return None
        try:
            with _read_mark(self._state.folder / MARK):
                whole = {"digest", "sink", *self._lists} <= mark.keys()
                if not whole or checked(mark["outcomes"], int) < 0:
                    raise ValueError
                counts = Counts.from_json(mark["counts"])
                causes = FailureStats.from_json(mark.get("causes", {}))
        except OutputGone:  # the output is made again from the journal
            return None
        self.counts, self.causes = counts, causes
        return mark

    def open(self, mark: JSON | None, keys: SourceDigest | None) -> None:
        """Resume after ``mark``, whose samples' digest is ``keys``; None starts from nothing.

        Raises as the sink; where that refuses the output, its mark is still there.
        """
        if mark is not None and keys is not None:
            self._keys = keys
            with _read_mark(self._state.folder / MARK):
                for name, sink in self._lists.items():
                    sink.check_open(mark[name])
                self.sink.open(mark["sink"])
                for name, sink in self._lists.items():
                    sink.open(mark[name])
            return
        self.counts, self.causes = Counts(), FailureStats()
        for listing in self._lists.values():
            listing.check_open(None)
        before = self._state.read(MARK)
        self._state.remove(MARK)  # the output that it describes is about to be replaced
        try:
            self.sink.open(None)
        except ConfigError:
            if before is not None:
                self._state.write(MARK, before)
            raise
        for listing in self._lists.values():
            listing.open(None)

    def write(self, entries: Iterable[Entry]) -> list[Unwritten]:
        """Returns the captions that could not be written, each with the outcome that it became."""
        lost: list[Unwritten] = []
        for sample, outcome, picture in entries:
            try:
                self.sink.write(sample, outcome, picture)
            except SampleError as error:
                assert isinstance(outcome, Caption), "only captions are written"
                outcome = unwritten(sample, error, outcome)  # noqa: PLW2901 - what it has become
                lost.append((sample, outcome))
            for listing in self._lists.values():
                listing.write(sample, outcome, None)
            by_policy = isinstance(outcome, Skip) and not outcome.stage
            content = self.contents.content(sample) if by_policy else ContentId.parse(outcome.content_id)
            self._keys.add(sample.key, content.unread)
            self.counts.add(outcome)
            if isinstance(outcome, Caption) and len(self.first) < FIRST:
                self.first.append((sample.key, outcome.text))
            elif isinstance(outcome, Failure):
                self.causes.add(outcome, sample.path)
                if len(self.failed) < MOST_FAILED or outcome.kind not in self._listed_kinds:
                    self.failed.append(failure_row(sample, outcome))
                self._listed_kinds.add(outcome.kind)
            self._dirty = True
        return lost

    def commit(self) -> None:
        """Make everything written so far durable, journal first."""
        if self._dirty:
            self._journal.sync()
            lists = {name: listing.commit() for name, listing in self._lists.items()}
            self._marks = {"sink": self.sink.commit(), **lists}
            self._write_mark(finished=False)
            self._on_commit()
            self._dirty = False

    def publish(self, *, finished: bool) -> None:
        """Make the output visible to the user; ``finished`` when it is complete."""
        self._dirty = True
        self.commit()
        self.sink.finish()
        for listing in self._lists.values():
            listing.finish()
        self._write_mark(finished=finished)

    def _write_mark(self, *, finished: bool) -> None:
        mark = {"outcomes": self._keys.count, "digest": self._keys.digest, "finished": finished}
        sums = {"counts": self.counts.to_json(), "causes": self.causes.to_json()}
        self._state.write(MARK, {**self._made_by, **mark, **sums, **self._marks})

    @property
    def folder(self) -> Path:
        return self._state.folder

    @property
    def needs_picture(self) -> bool:
        return self.sink.needs_picture

    @property
    def outputs(self) -> list[Path | str]:
        return [*self.sink.outputs, *(path for each in self._lists.values() for path in each.outputs)]

    def close(self) -> None:
        self.sink.close()
        for listing in self._lists.values():
            listing.close()
