"""METEOR's alignment of two texts: which words of one stand for which of the other, in how many chunks.

A beam search over the positions of the reference, with all that METEOR 1.5 does, also where that is odd: what a
match adds to a sum is cut to a whole number, so that stems, synonyms and single paraphrases add nothing; the
distance of a match is added to the alignment without it; a paraphrase found in both directions counts twice.
These decide which alignment wins, and so the score.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

WEIGHTS: Final = (1.0, 0.6, 0.8, 0.6)
"""Of matches by word, stem, synonym and paraphrase."""

_BEAM: Final = 40

Match: TypeAlias = tuple[int, int, int, int, int]
"""Kind, first word and number of words in the reference, then in the caption."""


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """What is known of a text before it is aligned: the positions of words, stems, synonyms and phrases.

    ``words`` and ``stems`` are numbers. ``phrases`` has the positions of each phrase of several words or one,
    ``paraphrases`` a list of ``(first word, words, phrase, words of the phrase)``.
    """

    words: Sequence[int]
    stems: Sequence[int]
    synsets: Sequence[frozenset[int]]
    is_function: Sequence[bool]
    places: Mapping[int, Sequence[int]]
    stem_places: Mapping[int, Sequence[int]]
    synset_places: Mapping[int, Sequence[int]]
    phrases: Mapping[int, Sequence[int]]
    paraphrases: Sequence[tuple[int, int, int, int]]


def align(caption: Text, reference: Text) -> tuple[list[Match], int]:
    """The matches of the best alignment in the order of the reference, and their number of chunks."""
    matches = _matches(caption, reference)
    fixed, used, reference_used = _fixed(matches, len(caption.words), len(reference.words))
    if any(found and fixed[place] is None for place, found in enumerate(matches)):
        fixed = _search(matches, fixed, used, reference_used)
    return [match for match in fixed if match is not None], _chunks(fixed)


def _matches(caption: Text, reference: Text) -> list[list[Match]]:
    """All matches by the position of their first word in the reference."""
    found: list[list[Match]] = []
    if caption.words == reference.words:
        for place, word in enumerate(reference.words):
            found.append([(0, place, 1, at, 1) for at in caption.places[word]])
        return found
    words = caption.words
    nothing: tuple[int, ...] = ()
    synset_places = caption.synset_places
    for place, word in enumerate(reference.words):
        here: list[Match] = [(0, place, 1, at, 1) for at in caption.places.get(word, nothing)]
        for at in caption.stem_places.get(reference.stems[place], nothing):
            if words[at] != word:
                here.append((1, place, 1, at, 1))
        common = reference.synsets[place] & synset_places.keys()
        if common:
            alike = {at for one in common for at in synset_places[one] if words[at] != word}
            here += [(2, place, 1, at, 1) for at in sorted(alike)]
        found.append(here)
    phrases = caption.phrases
    for place, length, phrase, size in reference.paraphrases:
        for at in phrases.get(phrase, nothing):
            found[place].append((3, place, length, at, size))
    phrases = reference.phrases
    for at, length, phrase, size in caption.paraphrases:
        for place in phrases.get(phrase, nothing):
            found[place].append((3, place, size, at, length))
    return found


def _fixed(
    matches: Sequence[Sequence[Match]], size: int, reference_size: int
) -> tuple[list[Match | None], int, int]:
    """The matches that no other one competes with, and the words that they take as bits."""
    caption_count, reference_count = [0] * size, [0] * reference_size
    for here in matches:
        for _, place, length, at, other in here:
            for word in range(at, at + other):
                caption_count[word] += 1
            for word in range(place, place + length):
                reference_count[word] += 1
    fixed: list[Match | None] = [None] * reference_size
    used = reference_used = 0
    for position, here in enumerate(matches):
        if len(here) != 1:
            continue
        _, place, length, at, other = here[0]
        if (
            max(caption_count[at : at + other], default=0) == 1
            and max(reference_count[place : place + length], default=0) == 1
        ):
            fixed[position] = here[0]
            used |= ((1 << other) - 1) << at
            reference_used |= ((1 << length) - 1) << place
    return fixed, used, reference_used


def _added(total: int, words: int, kind: int) -> int:
    return int(total + words * WEIGHTS[kind])


class _Path:
    """An alignment of the first words of the reference."""

    __slots__ = ("chunks", "distance", "end", "found", "next", "ours", "theirs", "used", "used_there")

    def __init__(self, used: int, used_there: int, found: tuple[Match | None, ...]) -> None:
        self.used = used
        self.used_there = used_there
        self.found = found
        self.ours = self.theirs = self.chunks = self.distance = self.next = 0
        self.end = -1

    def copy(self) -> _Path:
        other = _Path(self.used, self.used_there, self.found)
        other.ours, other.theirs, other.chunks = self.ours, self.theirs, self.chunks
        other.distance, other.next, other.end = self.distance, self.next, self.end
        return other

    def add(self, match: Match) -> None:
        kind, place, length, at, other = match
        self.ours = _added(self.ours, other, kind)
        self.theirs = _added(self.theirs, length, kind)
        if self.end not in {-1, at}:
            self.chunks += 1
        self.next = place + length
        self.end = at + other

    @property
    def rank(self) -> tuple[int, int, int]:
        return (-self.ours - self.theirs, self.chunks, self.distance)


def _search(
    matches: Sequence[Sequence[Match]], fixed: Sequence[Match | None], used: int, reference_used: int
) -> list[Match | None]:
    """The matches of the best alignment by the position in the reference."""
    paths = [_Path(used, reference_used, tuple(fixed))]
    for place, here in enumerate(matches):
        paths.sort(key=_rank)
        before, paths = paths, []
        for path in before[:_BEAM]:
            if path.used_there >> place & 1:
                match = path.found[path.next] if place >= path.next else None
                if place < path.next:
                    paths.append(path)
                elif match is not None:
                    path.add(match)
                    path.distance += abs(match[1] - match[3])
                    paths.append(path)
                continue
            for match in here:
                _extend(path, match, place, paths)
            if path.end != -1:
                path.chunks += 1
                path.end = -1
            path.next += 1
            paths.append(path)
        if not paths:
            paths = before[:1]
    paths.sort(key=_rank)
    for path in paths[:_BEAM]:
        if path.end != -1:
            path.chunks += 1
    paths = paths[:_BEAM]
    paths.sort(key=_rank)
    return list(paths[0].found)


def _rank(path: _Path) -> tuple[int, int, int]:
    return path.rank


def _extend(path: _Path, match: Match, place: int, paths: list[_Path]) -> None:
    """Add the path with a match to the paths, unless its words are taken."""
    _, _, length, at, other = match
    there, ours = ((1 << length) - 1) << place, ((1 << other) - 1) << at
    if path.used_there & there or path.used & ours:
        return
    longer = path.copy()
    longer.used |= ours
    longer.used_there |= there
    longer.found = (*path.found[:place], match, *path.found[place + 1 :])
    longer.add(match)
    paths.append(longer)
    path.distance += abs(place - at)


def _chunks(found: Sequence[Match | None]) -> int:
    """The number of runs of matches whose words follow each other in both texts."""
    chunks, end, place = 0, -1, 0
    while place < len(found):
        match = found[place]
        if match is None:
            chunks += end != -1
            end = -1
            place += 1
            continue
        _, start, length, at, other = match
        chunks += end not in {-1, at}
        place, end = start + length, at + other
    return chunks + (end != -1)
