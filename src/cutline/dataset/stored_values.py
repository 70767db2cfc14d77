"""Values of pictures that are stored in the history, and change by edits like captions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Generic, TypeVar

import orjson

from cutline.dataset.history import History
from cutline.dataset.records import Change

T = TypeVar("T")


class StoredValues(Generic[T]):
    """Values by the keys of the pictures, at most one for each; ``kind`` is a dataclass of plain values."""

    def __init__(self, history: History, prefix: str, kind: type[T]) -> None:
        self._prefix = prefix
        self._kind = kind
        self._contents = history.values(prefix)

    def __len__(self) -> int:
        return len(self._contents)

    def of(self, key: str) -> T | None:
        content = self._contents.get(key)
        return None if content is None else self._kind(**orjson.loads(content))

    def keys(self) -> frozenset[str]:
        return frozenset(self._contents)

    def changes(self, values: Mapping[str, T]) -> list[Change]:
        """The changes that replace values by these."""
        return [self._change(key, orjson.dumps(value)) for key, value in values.items()]

    def removals(self, keys: Iterable[str]) -> list[Change]:
        """The changes that remove the values of these pictures."""
        return [self._change(key, None) for key in keys if key in self._contents]

    def note(self, contents: Mapping[str, bytes | None]) -> None:
        """Apply an edit's changes."""
        for name, content in contents.items():
            if name.startswith(self._prefix):
                key = name[len(self._prefix) :]
                if content is None:
                    self._contents.pop(key, None)
                else:
                    self._contents[key] = content

    def _change(self, key: str, after: bytes | None) -> Change:
        return Change(file=self._prefix + key, before=self._contents.get(key), after=after)
