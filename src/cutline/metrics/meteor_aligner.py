"""METEOR's alignment of two texts: which words of one stand for which of the other, in how many chunks.

A beam search over the positions of the reference, with all that METEOR 1.5 does, also where that is odd:
what a match adds to a sum is cut to a whole number, so that stems, synonyms and single paraphrases add
nothing; the distance of a match is added to the alignment without it; a paraphrase found in both
directions counts twice. These decide which alignment wins, and so the score.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

WEIGHTS: Final = (1.0, 0.6, 0.8, 0.6)
"""Of matches by word, stem, synonym and paraphrase."""

_BEAM: Final = 40

Match: TypeAlias = tuple[int, int, int, int, int]
"""Kind, first word and number of words in the reference, then in the caption."""


@dataclasses.dataclass(frozen=True, slots=True)
class Vocabulary:
    """For each word, by its number, those of other words with its stem, and with a meaning of it."""

    same_stem: Sequence[frozenset[int]]
    synonyms: Sequence[frozenset[int]]
    is_function: Sequence[bool]


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    """What is known of a text before it is aligned.

    ``words`` are numbers of the vocabulary, ``places`` their positions, ``phrases`` those of phrases
    that stand for another one; ``paraphrases`` is a list of ``(first word, words, phrase, words of the
    phrase)``.
    """

    words: Sequence[int]
    places: Mapping[int, Sequence[int]]
    phrases: Mapping[int, Sequence[int]]
    paraphrases: Sequence[tuple[int, int, int, int]]


def align(vocabulary: Vocabulary, caption: Text, reference: Text) -> tuple[list[Match], int]:
    """The matches of the best alignment in the order of the reference, and their number of chunks."""
    matches = _matches(vocabulary, caption, reference)
    fixed, used, reference_used = _fixed(matches, len(caption.words), len(reference.words))
    if any(found and fixed[place] is None for place, found in enumerate(matches)):
        fixed = _search(matches, fixed, used, reference_used, len(caption.words))
    return [match for match in fixed if match is not None], _chunks(fixed)


def _matches(vocabulary: Vocabulary, caption: Text, reference: Text) -> list[list[Match]]:
    """All matches by the position of their first word in the reference."""
    nothing: tuple[int, ...] = ()
    places = caption.places
    found = [
        [(0, place, 1, at, 1) for at in places.get(word, nothing)]
        for place, word in enumerate(reference.words)
    ]
    if caption.words == reference.words:
        return found
    known = places.keys()
    for kind, others in ((1, vocabulary.same_stem), (2, vocabulary.synonyms)):
        for place, word in enumerate(reference.words):
            if others[word] and (common := others[word] & known):
                alike = sorted(at for other in common for at in places[other])
                found[place] += [(kind, place, 1, at, 1) for at in alike]
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


class _Path:
    """An alignment of the first words of the reference; of several, the one of the lowest ``rank`` is best.

    The rank has more matched words first, then fewer chunks, then smaller distances. ``used`` has a bit
    for each word that is taken, of the caption, then of the reference. ``found`` are the matches, the
    last one first. ``next`` is the word after the last match or gap, ``end`` the caption's word after
    the last match, -1 after a gap.
    """

    __slots__ = ("end", "found", "next", "rank", "used")

    def __init__(self, used: int, rank: int, found: _Found, following: int, end: int) -> None:
        self.used = used
        self.rank = rank
        self.found = found
        self.next = following
        self.end = end


_Found: TypeAlias = "tuple[_Found, Match] | None"
_CHUNK: Final = 1 << 24  # in a rank; distances lie below
_WORD: Final = 1 << 48
_ADDED: Final = tuple(tuple(int(words * weight) * _WORD for words in range(9)) for weight in WEIGHTS)
_BY_RANK: Final = operator.attrgetter("rank")


def _search(
    matches: Sequence[Sequence[Match]],
    fixed: Sequence[Match | None],
    used: int,
    reference_used: int,
    size: int,
) -> list[Match | None]:
    """The matches of the best alignment by the position in the reference."""
    paths = [_Path(used | reference_used << size, 0, None, 0, -1)]
    for place, here in enumerate(matches):
        choices = [(match, _mask(match, size), _gain(match), match[3]) for match in here]
        # With a number, so that of equal ranks the earlier one comes first.
        found: list[tuple[int, int, _Path, Match | None, int]] = []
        bit = 1 << (size + place)
        for before in paths:
            path = before
            if path.used & bit:
                if place >= path.next:
                    match = fixed[place]
                    if match is None:
                        continue
                    broken = path.end not in {-1, match[3]}
                    rank = path.rank - _gain(match) + _CHUNK * broken + abs(place - match[3])
                    path = _Path(path.used, rank, (path.found, match), place + match[2], match[3] + match[4])
                found.append((path.rank, len(found), path, None, 0))
                continue
            end, taken, cost = path.end, path.used, _CHUNK * (path.end != -1)
            for match, mask, gain, at in choices:
                if not taken & mask:
                    rank = path.rank - gain + (cost if end != at else 0)
                    found.append((rank, len(found), path, match, mask))
                    path.rank += abs(place - at)
            path.rank += cost
            path.end, path.next = -1, place + 1
            found.append((path.rank, len(found), path, None, 0))
        found.sort()
        paths = [_followed(*one, place) for one in found[:_BEAM]] or paths[:1]
    return _best(paths, fixed)


def _mask(match: Match, size: int) -> int:
    """A bit for each word of a match, of a caption of ``size`` words, then of the reference."""
    _, place, length, at, other = match
    return ((1 << length) - 1) << (size + place) | ((1 << other) - 1) << at


def _gain(match: Match) -> int:
    """How much better a match makes a rank."""
    return _ADDED[match[0]][match[2]] + _ADDED[match[0]][match[4]]


def _followed(rank: int, _: int, path: _Path, match: Match | None, mask: int, place: int) -> _Path:
    """The path with the match, or with a gap."""
    if match is not None:
        following, end = place + match[2], match[3] + match[4]
        return _Path(path.used | mask, rank, (path.found, match), following, end)
    return path


def _best(paths: list[_Path], fixed: Sequence[Match | None]) -> list[Match | None]:
    for path in paths:
        path.rank += _CHUNK * (path.end != -1)
    result: list[Match | None] = [None] * len(fixed)
    found = min(paths, key=_BY_RANK).found
    while found is not None:
        found, match = found
        result[match[1]] = match
    return result


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
