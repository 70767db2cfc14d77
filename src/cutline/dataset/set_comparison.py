"""Compare two or three sets of captions, picture by picture. Picks are stored in the history, as edits."""

from __future__ import annotations

import csv
import hashlib
import io
import random
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

import numpy as np
import orjson
import pyarrow as pa

from cutline.analysis.terms import Term, TermOptions, term_table
from cutline.analysis.word_index import WordIndex
from cutline.dataset.caption_sets import OWN, CaptionSet
from cutline.dataset.contents import PICK
from cutline.dataset.history import History
from cutline.dataset.picks import Tally, tally
from cutline.dataset.proposals import Proposal
from cutline.dataset.records import Change, EditInfo, EditResult
from cutline.dataset.scan import Entry
from cutline.dataset.writer import Progress
from cutline.errors import ConfigError

_MOST: Final = 3


class ComparedDataset(Protocol):
    """The parts of a dataset that comparisons use."""

    history: History
    entries: Sequence[Entry]

    def caption(self, row: int) -> str | None: ...

    def write(
        self, info: EditInfo, changes: Sequence[Change], progress: Progress | None = None
    ) -> EditResult: ...

    def set_captions(
        self,
        texts: Mapping[int, str | None],
        info: EditInfo,
        before: Mapping[int, str | None] | None = None,
        progress: Progress | None = None,
    ) -> EditResult: ...

    def propose(self, proposals: Mapping[int, Proposal], info: EditInfo) -> EditResult: ...


class SetComparison:
    """Caption sets side by side.

    ``rows``: those with different captions in two sets or more. ``blind``: the order of the texts is random
    for each picture, but stable.
    """

    def __init__(self, dataset: ComparedDataset, sets: Sequence[CaptionSet], *, blind: bool = False) -> None:
        """Raises ConfigError: these are not two or three different sets, or have nothing to compare."""
        names = tuple(each.name for each in sets)
        if not 2 <= len(names) <= _MOST or len(set(names)) < len(names):
            raise ConfigError(
                f"two or three different sets can be compared, not {', '.join(names) or 'none'}"
            )
        self.names, self.blind = names, blind
        self._dataset = dataset
        self._sets = tuple(sets)
        self._prefix = (
            f"{PICK}{hashlib.blake2b(chr(10).join(sorted(names)).encode(), digest_size=6).hexdigest()}/"
        )
        shared = sorted(set().union(*(each.texts for each in sets)))
        self.rows = [row for row in shared if len(set(filter(None, self._texts(row).values()))) > 1]
        if not self.rows:
            raise ConfigError(f"no picture has different captions in {' and '.join(names)}")

    def shown(self, row: int) -> list[tuple[str, str | None]]:
        """The sets' names and captions of a row, in the order shown."""
        texts = list(self._texts(row).items())
        if self.blind:
            random.Random(self._prefix + self._dataset.entries[row].key).shuffle(texts)  # noqa: S311 - an order
        return texts

    def picked(self, row: int) -> str | None:
        """The set that was picked for a row, empty if none was good; None without a pick."""
        content = self._dataset.history.value(self._prefix + self._dataset.entries[row].key)
        return None if content is None else str(orjson.loads(content))

    def pick(self, row: int, name: str | None) -> EditResult:
        """Pick a set's caption; an empty name picks none of them, None removes the pick.

        Raises:
            ConfigError: there is no such set, or it has no caption of the row.
        """
        if name and not self._texts(row).get(name):
            raise ConfigError(f"{name} has no caption of this picture; there are {', '.join(self.names)}")
        key = self._dataset.entries[row].key
        file = self._prefix + key
        before = self._dataset.history.value(file)
        after = None if name is None else orjson.dumps(name)
        changes = [Change(file=file, before=before, after=after)] if before != after else []
        return self._dataset.write(EditInfo(kind="pick", summary=f"compare {key}"), changes)

    def picks(self) -> dict[str, str]:
        """The names of the picked sets, by picture key."""
        found = self._dataset.history.values(self._prefix)
        keys = {self._dataset.entries[row].key for row in self.rows}
        return {key: str(orjson.loads(content)) for key, content in found.items() if key in keys}

    def tally(self) -> Tally:
        """The result so far."""
        return tally(self.names, self.picks(), len(self.rows))

    def use(self, *, propose: bool = False, progress: Progress | None = None) -> EditResult:
        """Apply the picked captions, or with ``propose`` propose them."""
        picks, found = self.picks(), {}
        for row in self.rows:
            name = picks.get(self._dataset.entries[row].key)
            if name and name != OWN:
                found[row] = next(each for each in self._sets if each.name == name)
        summary = f"{'propose' if propose else 'use'} what was picked of {' and '.join(self.names)}"
        info = EditInfo(kind="compare", summary=summary)
        if not propose:
            return self._dataset.set_captions(
                {row: each.texts[row] for row, each in found.items()}, info, None, progress
            )
        proposals = {
            row: Proposal(caption=each.texts[row], model=each.model or each.name, prompt_id=each.prompt_id)
            for row, each in found.items()
        }
        return self._dataset.propose(proposals, info)

    def words(self, before: str, after: str, options: TermOptions) -> tuple[list[Term], list[Term]]:
        """The terms that are more, and less, frequent in a set than in another one in the rows that differ.

        Counts of the first are in ``after`` and ``rest`` in ``before``; of the second, the reverse. The most
        significant come first. ConfigError: there is no such set.
        """
        for name in (before, after):
            if name not in self.names:
                raise ConfigError(f"{name} is not compared; there are {', '.join(self.names)}")
        texts = [self._texts(row) for row in self.rows]
        both = [pair for each in texts if all(pair := (each[before], each[after]))]
        index = WordIndex()
        index.update(
            pa.chunked_array([pa.array([pair[place] for place in (0, 1) for pair in both], pa.string())])
        )
        second = np.arange(2 * len(both)) >= len(both)
        gained, lost = (
            [term for term in term_table(index, mask, ~mask, options) if term.score > 0]
            for mask in (second, ~second)
        )
        return gained, lost

    def to_csv(self) -> str:
        """One line for each set, see ``Tally``, and one for no pick."""
        found, text = self.tally(), io.StringIO()
        writer = csv.writer(text)
        writer.writerow(["set", "picked", "share", "low", "high", "is_winner"])
        for each in found.standings:
            figures = (f"{value:.4f}" for value in (each.share, each.low, each.high))
            writer.writerow([each.name, each.picked, *figures, "yes" if each.name == found.winner else ""])
        writer.writerow(["none is good", found.none, "", "", "", ""])
        return text.getvalue()

    def _texts(self, row: int) -> dict[str, str | None]:
        return {
            each.name: self._dataset.caption(row) if each.name == OWN else each.texts.get(row)
            for each in self._sets
        }
