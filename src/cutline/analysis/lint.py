"""What in the captions of a dataset is worth a look before training: a list that one works off."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cutline.analysis.stop_words import languages, stop_words
from cutline.analysis.terms import TermOptions, term_table
from cutline.analysis.word_index import WordIndex
from cutline.formatting import plural
from cutline.prompts.reply_forms import is_refusal, next_turn

Check = Literal["frequent", "opener", "sentence", "same", "spelling", "case", "prompt"]
CHECKS: Final[tuple[Check, ...]] = get_args(Check)

_FEWEST: Final = 20  # captions, for findings about a share of them
_NEARLY_ALL: Final = 0.9
_OPENING: Final = 0.1
_OPENER_WORDS: Final = 3
_AGAIN: Final = 5  # captions with the same sentence
_SENTENCE_WORDS: Final = 4
_RARE: Final = 3  # times that a misspelt word occurs
_TIMES: Final = 6  # as often is the right one
_LETTERS: Final = 6  # of a word that is compared with others: shorter ones differ by a letter as they are
_MOST: Final = 50  # findings of a check

_SENTENCE_END: Final = r"[.!?…。！？\n]+"  # noqa: RUF001 - of other scripts
_COMMON: Final = 4  # times as often is the usual form of a word
_CAPITALS: Final = re.compile(r"\b(?:[A-Z]+\W+){3,}[A-Z]{2,}\b")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_LEAK: Final = re.compile(
    r"(?i)^\s*(?:describe (?:this|the) (?:image|picture|photo)|write (?:a|one) caption|you are an? )"
    r"|\b(?:system|user) prompt\b"
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """``text`` is what was found in ``count`` captions; ``message`` says what of it.

    ``query`` finds the captions. ``replace``: the old and new text of the edit that mends them, if there is
    one that is right for most.
    """

    check: Check
    text: str
    count: int
    message: str
    query: str
    replace: tuple[str, str] | None = None


def lint(captions: pa.ChunkedArray, index: WordIndex, checks: Sequence[Check] = CHECKS) -> list[Finding]:
    """The findings of ``checks`` in their order, each with the most frequent first; 50 of a check at most.

    ``index`` is that of ``captions``, null for none.
    """
    texts = [text for text in captions.to_pylist() if text and text.strip()]
    functions = {
        "frequent": lambda: _frequent(index, len(texts)),
        "opener": lambda: _openers(texts),
        "sentence": lambda: _sentences(captions, len(texts)),
        "same": lambda: _same(captions),
        "spelling": lambda: _spellings(index),
        "case": lambda: _cases(texts),
        "prompt": lambda: _prompts(texts),
    }
    return [
        finding
        for check in CHECKS
        if check in checks
        for finding in itertools.islice(functions[check](), _MOST)
    ]


def _quoted(text: str) -> str:
    """The query that finds a text as a phrase."""
    if '"' in text or "\n" in text:
        return "re:/" + re.escape(text).replace("/", "\\/") + "/"
    return f'"{text}"'


def _frequent(index: WordIndex, texts: int) -> Iterator[Finding]:
    if texts < _FEWEST:
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
            message=f"is in {share:.0%} of the captions: a trigger word cannot learn what all say",
            query=_quoted(term.term),
        )


def _openers(texts: Sequence[str]) -> Iterator[Finding]:
    begins: collections.Counter[str] = collections.Counter()
    for text in texts:
        words = _WORD.findall(text[:200])[:_OPENER_WORDS]
        if len(words) == _OPENER_WORDS:
            begins[" ".join(words).lower()] += 1
    for begin, count in begins.most_common():
        if count < max(_FEWEST, _OPENING * len(texts)):
            return
        yield Finding(
            check="opener",
            text=begin,
            count=count,
            message=f"begins {count / len(texts):.0%} of the captions",
            query="re:/^\\W*" + begin.replace(" ", "\\W+") + "/i",
        )


def _sentences(captions: pa.ChunkedArray, texts: int) -> Iterator[Finding]:
    counts: collections.Counter[str] = collections.Counter()
    for block in captions.chunks:
        parts = pc.split_pattern_regex(pc.fill_null(block, ""), _SENTENCE_END)
        rows = np.repeat(np.arange(len(parts)), pc.list_value_length(parts).to_numpy())
        several = np.bincount(rows, minlength=len(parts)) > 2  # a caption of one sentence is that of "same"
        sentences = pc.utf8_trim_whitespace(parts.flatten())
        kept = pc.and_(
            pa.array(several[rows]), pc.greater(pc.count_substring(sentences, " "), _SENTENCE_WORDS - 2)
        )
        for entry in pc.value_counts(sentences.filter(kept)).to_pylist():
            counts[entry["values"]] += entry["counts"]
    for sentence, count in counts.most_common():
        if count < max(_AGAIN, 0.005 * texts):
            return
        yield Finding(
            check="sentence",
            text=sentence,
            count=count,
            message=f"is a sentence of {count:,} captions",
            query=_quoted(sentence),
        )


def _same(captions: pa.ChunkedArray) -> Iterator[Finding]:
    texts = pc.drop_null(captions)
    entries = [entry for entry in pc.value_counts(texts).to_pylist() if entry["counts"] > 1]
    for entry in sorted(entries, key=lambda entry: -entry["counts"]):
        if entry["values"].strip():
            yield Finding(
                check="same",
                text=entry["values"].strip(),
                count=entry["counts"],
                message=f"is the caption of {entry['counts']:,} pictures",
                query=f"dup:exact {_quoted(entry['values'].strip())}",
            )


def _spellings(index: WordIndex) -> Iterator[Finding]:
    found = index.occurrences(1)
    counts, pictures = found.count()
    by_deletion: dict[str, list[int]] = collections.defaultdict(list)
    for number in np.flatnonzero(counts).tolist():
        term = found.terms[number]
        if len(term) >= _LETTERS - 1 and _WORD.fullmatch(term):
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
                    query=_quoted(rare),
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


def _cases(texts: Sequence[str]) -> Iterator[Finding]:
    """Words in unusual upper or lower case, behind the begin of a sentence; and capitals in a row."""
    forms: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    loud = 0
    for text in texts:
        if text.islower():
            continue
        loud += _CAPITALS.search(text) is not None
        words = list(_WORD.finditer(_CAPITALS.sub("\n", text)))
        for before, word in itertools.pairwise(words):
            if len(word[0]) > 2 and not word[0].islower() and word.start() == before.end() + 1:
                forms[word[0].lower()][word[0]] += 1
    if loud:
        yield Finding(
            check="case",
            text="CAPITALS",
            count=loud,
            message=f"only, four words or more, are in {plural(loud, 'caption')}",
            query=f"re:/{_CAPITALS.pattern}/",
        )
    lower: collections.Counter[str] = collections.Counter()
    if forms:
        for text in texts:
            lower.update(word for word in _WORD.findall(text) if word in forms)
    findings = []
    for term, counted in forms.items():
        counted[term] += lower[term]
        (common, times), *others = counted.most_common()
        findings += [
            Finding(
                check="case",
                text=other,
                count=count,
                message=f"is mostly written {common!r} ({times:,} times)",
                query=f"re:/\\b{re.escape(other)}\\b/",
                replace=(other, common),
            )
            for other, count in others
            if count and times >= _COMMON * count
        ]
    yield from sorted(findings, key=lambda finding: (-finding.count, finding.text))


def _prompts(texts: Sequence[str]) -> Iterator[Finding]:
    counts: collections.Counter[str] = collections.Counter()
    for text in texts:
        if is_refusal(text):
            counts[" ".join(text.split()[:6])] += 1
        elif found := (_LEAK.search(text) or next_turn().search(text)):
            counts[found[0].strip()] += 1
    for text, count in counts.most_common():
        yield Finding(
            check="prompt",
            text=text,
            count=count,
            message="is of a prompt or a refusal, not a caption",
            query=_quoted(text),
        )
