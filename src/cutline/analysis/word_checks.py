"""Checks of single words: in nearly all captions, nearly like another one, or in one caption only."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from cutline.analysis.findings import Finding, phrase_query
from cutline.analysis.stop_words import languages, stop_words
from cutline.analysis.terms import TermOptions, term_table
from cutline.analysis.word_index import WordIndex

FEWEST: Final = 20
"""Captions, for findings about a share of them."""
WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")

_NEARLY_ALL: Final = 0.9
_RARE: Final = 3  # times that a misspelt word occurs
_TIMES: Final = 6  # as often is the right one
_LETTERS: Final = 6  # of a word that is compared with others: shorter ones differ by a letter as they are
_LONGEST: Final = 40  # letters of one that is compared: each letter costs a copy of the word
_SHORT: Final = 3  # letters of a word that is looked at where it occurs once


def frequent_words(index: WordIndex, texts: int) -> Iterator[Finding]:
    """Words that occur in nearly all of ``texts`` captions."""
    if texts < FEWEST:
        return
    options = TermOptions(
        stop_words=stop_words(languages()), least=int(_NEARLY_ALL * texts) + 1, order="pictures"
    )
    for term in term_table(index, None, None, options):
        share = term.pictures / texts
        yield Finding(
            check="frequent",
            text=term.term,
            count=term.pictures,
            message=f"is in {share:.0%} of the captions: right for a trigger word alone",
            query=phrase_query(term.term),
        )


def misspelt_words(index: WordIndex) -> Iterator[Finding]:
    """Rare words that differ by a letter from a frequent one."""
    found = index.occurrences(1)
    counts, pictures = found.count()
    by_deletion: dict[str, list[int]] = collections.defaultdict(list)
    for number in np.flatnonzero(counts).tolist():
        term = found.terms[number]
        if _LETTERS - 1 <= len(term) <= _LONGEST and WORD.fullmatch(term):
            for form in {term, *_deletions(term)}:
                by_deletion[form].append(number)
    seen: set[int] = set()
    findings = []
    for numbers in by_deletion.values():
        most = max(numbers, key=lambda number: int(counts[number]))
        for number in numbers:
            rare, right = found.terms[number], found.terms[most]
            if number in seen or not _is_misspelt(rare, right, int(counts[number]), int(counts[most])):
                continue
            seen.add(number)
            findings.append(
                Finding(
                    check="spelling",
                    text=rare,
                    count=int(pictures[number]),
                    message=f"differs by a letter from {right!r}, which occurs {int(counts[most]):,} times",
                    query=phrase_query(rare),
                    replace=(rare, right),
                )
            )
    yield from sorted(findings, key=lambda finding: (-finding.count, finding.text))


def _deletions(term: str) -> Iterable[str]:
    return (term[:place] + term[place + 1 :] for place in range(len(term)))


def _is_misspelt(rare: str, right: str, times: int, right_times: int) -> bool:
    if rare == right or times > _RARE or right_times < _TIMES * times or len(right) < _LETTERS:
        return False
    if abs(len(rare) - len(right)) > 1 or rare[0] != right[0]:
        return False
    # Another ending is another form of the word, as that of the plural.
    return rare[:-2] != right[: len(rare) - 2] or rare[-1:] == right[-1:]


def single_words(index: WordIndex, texts: int) -> Iterator[Finding]:
    """Words that occur once in ``texts`` captions, sorted, without misspelt ones."""
    if texts < FEWEST:
        return
    found = index.occurrences(1)
    counts, _ = found.count()
    terms = (found.terms[number] for number in np.flatnonzero(counts == 1).tolist())
    dropped = stop_words(languages()) | {finding.text for finding in misspelt_words(index)}
    for term in sorted(terms):
        if len(term) >= _SHORT and WORD.fullmatch(term) and term not in dropped:
            yield Finding(
                check="once",
                text=term,
                count=1,
                message="is used once, too seldom to be learnt",
                query=phrase_query(term),
            )
