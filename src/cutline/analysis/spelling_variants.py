"""Words that a dataset spells in two ways: British and American, and in one word, with a hyphen or in two."""

from __future__ import annotations

import collections
import re
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from cutline.analysis.findings import Finding, phrase_query
from cutline.analysis.stop_words import languages, stop_words
from cutline.analysis.word_index import WordIndex

_ENDINGS: Final = tuple(
    (re.compile(pattern), american)
    for pattern, american in (
        (r"(?<=\w{2})our(?=(?:s|ed|ing|ful|less|ite|ites|hood|able|er|ers)?$)", "or"),
        (r"(?<=\w{3})is(?=(?:e|es|ed|er|ers|ing|ation|ations)$)", "iz"),
        (r"(?<=\w{2})ys(?=(?:e|es|ed|ing)$)", "yz"),
        (r"(?<=\w{2}[bct])re(?=s?$)", "er"),
        (r"(?<=\w{2}[bct])red$", "ered"),
        (r"(?<=\w{3})ogue(?=s?$)", "og"),
        (r"(?<=\w{4})ll(?=(?:ed|ing|er|ers)$)", "l"),
    )
)
"""Of British words, and what stands there in American ones, whatever is before."""
_PAIRS: Final = {
    "grey": "gray", "greys": "grays", "greyish": "grayish", "aluminium": "aluminum", "jewellery": "jewelry",
    "pyjamas": "pajamas", "moustache": "mustache", "moustaches": "mustaches", "doughnut": "donut",
    "doughnuts": "donuts", "yoghurt": "yogurt", "plough": "plow", "cosy": "cozy", "licence": "license",
    "mould": "mold", "kerb": "curb", "artefact": "artifact", "skilful": "skillful", "woollen": "woolen",
    "omelette": "omelet", "whisky": "whiskey", "barbeque": "barbecue", "ketchup": "catsup", "chilli": "chili",
    "tyre": "tire", "tyres": "tires", "judgement": "judgment", "programme": "program", "axe": "ax",
}  # fmt: skip
_PART: Final = 3  # letters of a word in two: shorter ones are put together by chance
_DASH: Final = re.compile(r"(?<=\w)-(?=\w)")


def spelling_variants(index: WordIndex) -> Iterator[Finding]:
    """Words that are spelt in another way more often, the most frequent first.

    Both ways must be in the captions: none is right or wrong, but a model learns two words for one thing.
    """
    found = index.occurrences()
    counts, pictures = found.count()
    written: dict[str, dict[str, tuple[int, int]]] = collections.defaultdict(dict)
    numbers = np.flatnonzero(counts).tolist()
    for number in numbers:
        term = found.terms[number]
        written[_american(_DASH.sub("", term))][term] = int(counts[number]), int(pictures[number])
    known = {found.terms[number]: number for number in numbers}
    halves = [(known[first], known[second]) for first, second in _halves(known)]
    for pair, counted in index.count_pairs(halves).items():
        first, second = (found.terms[number] for number in pair)
        written[_american(first + second)][f"{first} {second}"] = counted
    findings = [
        Finding(
            check="spelling",
            text=term,
            count=captions,
            message=f"is also written {usual!r}, {times:,} times",
            query=phrase_query(term),
            replace=(term, usual),
        )
        for forms in written.values()
        if len(forms) > 1
        for usual, times in [
            max(((form, times) for form, (times, _) in forms.items()), key=lambda one: one[1])
        ]
        for term, (_, captions) in forms.items()
        if term != usual
    ]
    yield from sorted(findings, key=lambda finding: (-finding.count, finding.text))


def _american(word: str) -> str:
    if word in _PAIRS:
        return _PAIRS[word]
    for british, american in _ENDINGS:
        word, times = british.subn(american, word, count=1)
        if times:
            break
    return word


def _halves(known: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Two words that are there as one too."""
    dropped = stop_words(languages())
    for word in {_DASH.sub("", term) for term in known}:
        for end in range(_PART, len(word) - _PART + 1):
            first, second = word[:end], word[end:]
            if first in known and second in known and first not in dropped and second not in dropped:
                yield first, second
