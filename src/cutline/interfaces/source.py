"""Where samples come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Protocol

from cutline.records import LeftOver, Sample


class Source(Protocol):
    """Where samples come from, always in the same order. Subclass it for the defaults."""

    takes: ClassVar[frozenset[str]] = frozenset()
    """Which of the options ``split`` and ``event`` it supports; the others are refused."""

    def samples(self) -> Iterator[Sample]:
        """List the samples. Blocks; the engine runs it in a thread.

        A row that cannot be a sample becomes one with a ``problem``: nothing is dropped.

        Raises:
            ConfigError: the input does not exist or is of another kind.
            SourceError: reading broke off.
        """

    def count(self) -> int | None:
        """How many samples there are, or None when only reading everything would tell."""

    def shards(self, count: int) -> Sequence[Source]:
        """At most ``count`` sources that pickle and together give the same samples in the same order.

        Only an empty source has an empty shard. Blocks. A source that cannot be split inherits this. The
        shards note what is in them; what this source has noted afterwards is in none of them.
        """
        del count
        return [self]

    @property
    def has_repeats(self) -> bool:
        """Whether one picture may come in several samples; then equal requests are made once."""
        return False

    @property
    def warnings(self) -> Sequence[str]:
        """Lines for the summary about what was read, such as texts in an unknown encoding."""
        return ()

    @property
    def left_over(self) -> Sequence[LeftOver]:
        """Pictures that are in the input and were not listed as samples; known once listing has ended."""
        return ()

    @property
    def column_types(self) -> Mapping[str, Any]:
        """The Arrow types of the samples' metadata by name, where the input has such."""
        return {}
