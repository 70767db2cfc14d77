"""The vocabulary of a dataset's queries: tags, models, folders and saved filters."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence

from cutline.dataset.filters import read_filters, write_filter
from cutline.dataset.history import History
from cutline.dataset.query import Completion, complete
from cutline.dataset.row_sets import NamedRows
from cutline.dataset.tag_counts import TagCounts


class QueryWords:
    """Values for queries and their completion. Thread-safe."""

    def __init__(
        self,
        tags: TagCounts,
        history: History,
        keys: Sequence[str],
        guard: threading.RLock,
        named: Callable[[str], NamedRows],
    ) -> None:
        """``keys`` are the pictures' paths; ``guard`` is held while captions are read.

        ``named``: the rows by names of the fields ``in`` and ``cluster``.
        """
        self._tags, self._history, self._keys, self._guard = tags, history, keys, guard
        self._named = named

    def tag_counts(self, text: str = "", limit: int = 20) -> list[tuple[str, int]]:
        """The tags that contain ``text``, the most frequent first, with their counts."""
        with self._guard:
            return self._tags.matching(text, limit)

    def models(self) -> Sequence[str]:
        """The models that wrote captions."""
        return self._history.models()

    def folders(self) -> Sequence[str]:
        """The folders of the pictures, each with a slash at its end."""
        return self._folders

    @functools.cached_property
    def _folders(self) -> list[str]:
        found = {key[: key.rfind("/") + 1] for key in self._keys}
        parents = {
            folder[:end] for folder in found for end in (i + 1 for i, c in enumerate(folder) if c == "/")
        }
        return sorted(parents)

    def sets(self) -> Mapping[str, int]:
        """Named sets, the latest first, with their numbers of pictures."""
        return self._named("in").names()

    def clusters(self) -> Mapping[str, int]:
        """Names of clusters, with their numbers of pictures."""
        return self._named("cluster").names()

    def filters(self) -> dict[str, str]:
        """Saved filters: queries by name."""
        return read_filters(self._history)

    def save_filter(self, name: str, query: str | None) -> dict[str, str]:
        """Save a query under a name, or remove it with None; returns all.

        Raises:
            ConfigError: the name or the query is invalid. KeyError: there is no filter of this name to
            remove.
        """
        return write_filter(self._history, name, query)

    def complete(self, query: str, place: int, limit: int = 10) -> list[Completion]:
        """Completions of a query at a character, the best first."""
        return complete(query, place, self, limit)
