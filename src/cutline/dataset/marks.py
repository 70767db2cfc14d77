"""Marks of pictures: done, flagged. They are stored in the history, and change by edits like captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cutline.dataset.contents import MARK
from cutline.dataset.history import History
from cutline.dataset.records import Change

MARKS: Final = ("done", "flagged")


class Marks:
    """The marks of pictures by key; several marks are one text, ``done flagged``."""

    def __init__(self, history: History) -> None:
        self._marks = {key: content.decode() for key, content in history.values(MARK).items()}

    def of(self, key: str) -> frozenset[str]:
        return frozenset(self._marks.get(key, "").split())

    def having(self, mark: str) -> frozenset[str]:
        """The keys of the pictures with a mark."""
        return frozenset(key for key, marks in self._marks.items() if mark in marks.split())

    def changes(self, keys: Iterable[str], mark: str, *, on: bool) -> list[Change]:
        """The changes that set or remove a mark; none for pictures already in that state."""
        found = []
        for key in keys:
            marks = self.of(key)
            new = marks | {mark} if on else marks - {mark}
            if new != marks:
                before, after = (" ".join(sorted(each)).encode() or None for each in (marks, new))
                found.append(Change(file=MARK + key, before=before, after=after))
        return found

    def note(self, contents: Mapping[str, bytes | None]) -> set[str]:
        """Apply an edit's changes; returns the keys of the pictures."""
        keys = set()
        for name, content in contents.items():
            if name.startswith(MARK):
                key = name[len(MARK) :]
                keys.add(key)
                if content is None:
                    self._marks.pop(key, None)
                else:
                    self._marks[key] = content.decode()
        return keys
