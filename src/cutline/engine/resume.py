"""What of a source is left to do."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from cutline.engine import assembly
from cutline.engine.cancellation import Stop
from cutline.engine.output import KeyChain
from cutline.errors import CutlineError
from cutline.interfaces import Source
from cutline.records import JSON, Sample


def left_of(
    source: Source, limit: int | None, mark: JSON | None, stop: Stop
) -> tuple[Iterator[Sample], KeyChain | None]:
    """The samples after the mark's, if the source still begins as it did; else all of them.

    Raises:
        ConfigError, SourceError: the source has nothing at all to give.
    """
    samples = assembly.samples_of(source, limit)
    if mark is not None:
        keys = KeyChain()
        for sample in itertools.islice(samples, mark["outcomes"]):
            keys.add(sample)
            if stop.requested:
                return iter(()), None
        if keys.count == mark["outcomes"] and keys.digest == mark["digest"]:
            return samples, keys
        # Pictures came or went: the output is written anew from the journal, in the new order.
        samples = assembly.samples_of(source, limit)
    return samples, None


def peeked(samples: Iterator[Sample]) -> tuple[bool, Iterator[Sample]]:
    """Whether there are any, and all of them."""
    first = list(itertools.islice(samples, 1))
    return bool(first), itertools.chain(first, samples)


def count_of(source: Source, limit: int | None) -> int | None:
    try:
        count = source.count()
    except CutlineError:
        return None  # the listing itself will say it
    if count is None or limit is None:
        return count
    return min(count, limit)
