"""Group rows by a common property; each group has a colour and a query."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final, Literal, get_args

import numpy as np
import regex

from cutline.analysis.clusters import NONE, Labels
from cutline.analysis.palette import OTHER, group_color
from cutline.dataset.caption_sets import caption_set
from cutline.dataset.dataset import Dataset
from cutline.dataset.query.completion import quoted
from cutline.errors import ConfigError

By = Literal["cluster", "status", "folder", "model", "words", "keyword", "set"]
BY: Final[tuple[By, ...]] = get_args(By)

_WORD: Final = regex.compile(r"[\p{L}\p{N}\p{M}]+")
_MOST: Final = 20  # groups; the rest is one
_WORDS: Final = (
    ("no words", "words:0"),
    ("1 to 10 words", "words:1..10"),
    ("11 to 25 words", "words:11..25"),
    ("26 to 50 words", "words:26..50"),
    ("51 to 77 words", "words:51..77"),
    ("78 words and more", "words>77"),
)
_STATES: Final = {
    "failed": ("status:failed", "#d1483f"),
    "flagged": ("status:flagged", "#c98a00"),
    "proposal": ("has:proposal", "#7b61c9"),
    "done": ("status:done", "#2b8a5f"),
    "without a caption": ("missing:", "#b0559f"),
}


_ALIKE: Final = (
    ("the same caption", "#2b8a5f"),
    ("most words the same", "#8aa83a"),
    ("some words the same", "#c98a00"),
    ("other words", "#d1483f"),
    ("a caption only here", "#4c78c9"),
    ("a caption only there", "#7b61c9"),
    ("no caption in either", OTHER),
)
_SAME, _OTHER, _HERE, _THERE, _NEITHER = 0, 3, 4, 5, 6
_SHARES: Final = (2 / 3, 1 / 3)  # of all words of both captions that both have


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """``term``: the query of its rows, empty for the rest; ``count``: their number."""

    text: str
    color: str
    term: str = ""
    count: int = 0


def group_rows(
    dataset: Dataset, by: By, keywords: str = "", other: str = ""
) -> tuple[list[RowGroup], Labels]:
    """The groups, and for each row the index of the first group that contains it.

    ``keywords``: separated by commas, each a word or phrase, or with ``*`` at its end a prefix. ``other``: a
    set, see ``caption_set``, for the groups by ``set``, the similarity of both captions.

    Raises:
        ConfigError: there are no clusters, no keywords, or no such set.
    """
    if by == "set":
        return _by_set(dataset, other)
    wanted = list(_groups(dataset, by, keywords))
    labels = np.full(len(dataset), NONE, np.uint8)
    for place, group in enumerate(wanted):
        rows = np.arange(len(dataset)) if not group.term else dataset.find(group.term)
        labels[rows[labels[rows] == NONE]] = place
    counts = np.bincount(labels, minlength=NONE + 1)
    found = [
        dataclasses.replace(group, count=int(count))
        for group, count in zip(wanted, counts[: len(wanted)], strict=True)
    ]
    return found, labels


def _by_set(dataset: Dataset, name: str) -> tuple[list[RowGroup], Labels]:
    if not name:
        raise ConfigError("choose the set of captions to compare with")
    theirs = caption_set(dataset, name).texts
    own = itertools.chain.from_iterable(chunk.to_pylist() for chunk in dataset.texts().chunks)
    labels = np.array([_likeness(text, theirs.get(row)) for row, text in enumerate(own)], np.uint8)
    counts = np.bincount(labels, minlength=len(_ALIKE))
    pairs = zip(_ALIKE, counts.tolist(), strict=True)
    return [RowGroup(text=text, color=color, count=count) for (text, color), count in pairs], labels


def _likeness(here: str | None, there: str | None) -> int:
    """The index in ``_ALIKE`` of two captions."""
    if not here or not there:
        return _HERE if here else _THERE if there else _NEITHER
    if here == there:
        return _SAME
    one, other = (set(_WORD.findall(text.lower())) for text in (here, there))
    share = len(one & other) / max(1, len(one | other))
    return next((place for place, least in enumerate(_SHARES, 1) if share >= least), _OTHER)


def _groups(dataset: Dataset, by: By, keywords: str) -> Iterator[RowGroup]:
    match by:
        case "cluster":
            yield from _clusters(dataset)
        case "status":
            for text, (term, color) in _STATES.items():
                yield RowGroup(text=text, color=color, term=term)
            yield RowGroup(text="open", color=OTHER)
        case "words":
            yield from _colored(_WORDS)
        case "keyword":
            words = [word for word in map(str.strip, keywords.split(",")) if word]
            if not words:
                raise ConfigError("give keywords, separated by commas")
            yield from _colored((word, f"any:{quoted(word)}") for word in words)
            yield RowGroup(text="none of them", color=OTHER)
        case "model":
            models = dataset.query_words.models()
            yield from _colored((name, f"model:{quoted(name)}") for name in models)
            yield RowGroup(text="other", color=OTHER)
        case "folder":
            yield from _colored((name, f"path:{quoted(name + '*')}") for name in _folders(dataset))
            yield RowGroup(text="other", color=OTHER)


def _colored(pairs: Iterable[tuple[str, str]]) -> Iterator[RowGroup]:
    for number, (text, term) in enumerate(itertools.islice(pairs, _MOST)):
        yield RowGroup(text=text, color=group_color(number), term=term)


def _clusters(dataset: Dataset) -> Iterator[RowGroup]:
    clustering = dataset.clusters.latest()
    for number in clustering.numbers if clustering is not None else ():
        assert clustering is not None
        yield RowGroup(text=clustering.name(number), color=group_color(number), term=f"cluster:{number + 1}")


def _folders(dataset: Dataset) -> list[str]:
    """The top-level folders of the pictures below their common one, the largest first, each with a slash."""
    depth = 0
    counts: Counter[str] = Counter()
    paths = [entry.key.split("/")[:-1] for entry in dataset.entries]
    while len(counts) < 2 and any(len(path) > depth for path in paths):
        depth += 1
        counts = Counter("/".join(path[:depth]) + "/" for path in paths if path)
    return [name for name, _ in counts.most_common(_MOST)]
