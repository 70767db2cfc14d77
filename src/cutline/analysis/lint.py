"""What in the captions of a dataset is worth a look before training: a list that one works off."""

from __future__ import annotations

import collections
import dataclasses
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from cutline.analysis.findings import CHECKS, Check, Finding, pattern_query, phrase_query
from cutline.analysis.near_captions import near_captions
from cutline.analysis.spelling_variants import spelling_variants
from cutline.analysis.word_checks import FEWEST, WORD, frequent_words, misspelt_words, single_words
from cutline.analysis.word_index import WordIndex
from cutline.formatting import plural
from cutline.prompts.refusals import is_refusal
from cutline.prompts.reply_forms import TURN_SIGNS, next_turn
from cutline.text.openers import opener_of
from cutline.text.repetition import MOST_REPEATED, repetition

_OPENING: Final = 0.1
_OPENER_WORDS: Final = 3
_NEARLY_ALL: Final = 0.9
_FIRST: Final = re.compile(r"\W*([\w-]+(?: [\w-]+)?)\s*[,:;.|]")
_AGAIN: Final = 5  # captions with the same sentence
_SENTENCE_WORDS: Final = 4
MOST: Final = 50
"""Findings of a check."""

_SENTENCE_END: Final = r"[.!?…。！？\n]+"  # noqa: RUF001 - of other scripts
_COMMON: Final = 4  # times as often is the usual form of a word
_INNER_CAPITAL: Final = r"\pL.[\pL'\x{2019}-]*\p{Lu}"  # in a word that follows another, for RE2
_NO_WORD: Final = r"[^\pL'\x{2019}-]+"
_BLOCK: Final = 10_000  # captions
_CAPITALS: Final = re.compile(r"\b(?:[A-Z]+\W+){3,}[A-Z]{2,}\b")
_LEAK: Final = re.compile(
    r"(?i)^\s*(?:describe (?:this|the) (?:image|picture|photo)|write (?:a|one) caption|you are an? )"
    r"|\b(?:system|user) prompt\b"
)


def lint(
    captions: pa.ChunkedArray,
    index: WordIndex,
    checks: Sequence[Check] = CHECKS,
    *,
    ignored: AbstractSet[tuple[str, str]] = frozenset(),
    most: int | None = MOST,
    progress: Callable[[int], None] | None = None,
) -> list[Finding]:
    """The findings of ``checks`` in their order, each with the most frequent first.

    ``index`` is that of ``captions``, null for none. ``ignored``: findings to hide, by check and text, which
    are marked so; of the others at most ``most`` of a check are returned. ``progress`` is called with the
    number of checks that are done. Pictures are not looked at: ``picture`` finds nothing.
    """
    texts = [text for text in captions.to_pylist() if text and text.strip()]
    functions: dict[Check, Callable[[], Iterator[Finding]]] = {
        "frequent": lambda: frequent_words(index, len(texts)),
        "opener": lambda: _openers(texts),
        "repetition": lambda: _repetitions(texts),
        "sentence": lambda: _sentences(captions, len(texts)),
        "same": lambda: _same(captions),
        "near": lambda: near_captions(captions, index),
        "spelling": lambda: _spellings(index),
        "case": lambda: _cases(texts),
        "prompt": lambda: _prompts(texts),
        "once": lambda: single_words(index, len(texts)),
    }
    findings: list[Finding] = []
    for done, check in enumerate(check for check in CHECKS if check in checks):
        if progress is not None:
            progress(done)
        if check in functions:
            findings += kept_findings(functions[check](), ignored, most)
    return findings


def kept_findings(
    findings: Iterable[Finding], ignored: AbstractSet[tuple[str, str]], most: int | None
) -> Iterator[Finding]:
    """The first ``most``, and besides those that are ignored, which are marked so."""
    shown = 0
    for finding in findings:
        if (finding.check, finding.text) in ignored:
            yield dataclasses.replace(finding, is_ignored=True)
        elif most is None or shown < most:
            shown += 1
            yield finding


def _openers(texts: Sequence[str]) -> Iterator[Finding]:
    """Openers that speak of the picture, then other beginnings that many captions share.

    Where all captions begin with a trigger word, the beginnings of what follows it.
    """
    trigger = _trigger(texts)
    behind = f"(?:{re.escape(trigger)}\\W+)" if trigger else ""
    rests = [re.sub(rf"^\W*{re.escape(trigger)}\W+", "", text) for text in texts] if trigger else texts
    known: collections.Counter[str] = collections.Counter(
        " ".join(opener.lower().split()) for opener in map(opener_of, rests) if opener
    )
    for opener, count in known.most_common():
        cure = f"behind {trigger!r}" if trigger else "`cutline edit --remove-openers`"
        yield Finding(
            check="opener",
            text=opener,
            count=count,
            message=f"speaks of the picture, not of what it shows: {cure}",
            query=f"re:/^\\W*{behind}" + re.escape(opener).replace("/", "\\/").replace("\\ ", "\\s+") + "/i",
            pattern=_opener_pattern(opener, behind),
        )
    yield from (finding for finding in _begins(rests, behind) if finding.text not in known)


def _begins(texts: Sequence[str], behind: str) -> Iterator[Finding]:
    """Beginnings that many captions share; ``behind``: a pattern of what stands before all."""
    begins: collections.Counter[str] = collections.Counter()
    for text in texts:
        words = WORD.findall(text[:200])[:_OPENER_WORDS]
        if len(words) == _OPENER_WORDS:
            begins[" ".join(words).lower()] += 1
    for begin, count in begins.most_common():
        if count < max(FEWEST, _OPENING * len(texts)):
            return
        yield Finding(
            check="opener",
            text=begin,
            count=count,
            message=f"begins {count / len(texts):.0%} of the captions",
            query=f"re:/^\\W*{behind}" + begin.replace(" ", "\\W+") + "/i",
            pattern=_opener_pattern(begin, behind),
        )


def _opener_pattern(opener: str, behind: str) -> str:
    """What an edit removes: the opener where the caption begins, or after what is before all."""
    words = "\\W+".join(map(re.escape, opener.split()))
    return f"(?<=^\\W*{behind}){words}\\W*" if behind else f"^\\W*{words}\\W*"


def _trigger(texts: Sequence[str]) -> str:
    """The word with which nearly all captions begin, before a comma or a colon; empty for none."""
    found = collections.Counter(match[1] for text in texts if (match := _FIRST.match(text)))
    word, count = next(iter(found.most_common(1)), ("", 0))
    return word if count >= max(FEWEST, _NEARLY_ALL * len(texts)) else ""


def _spellings(index: WordIndex) -> Iterator[Finding]:
    """Misspelt words, and then words that are spelt in two ways."""
    misspelt = list(misspelt_words(index))
    known = {finding.text for finding in misspelt}
    yield from misspelt
    yield from (finding for finding in spelling_variants(index) if finding.text not in known)


def _repetitions(texts: Sequence[str]) -> Iterator[Finding]:
    """Captions that repeat themselves, as from a model in a loop."""
    for text in texts:
        if (share := repetition(text)) > MOST_REPEATED:
            yield Finding(
                check="repetition",
                text=text,
                count=1,
                message=f"repeats {share:.0%} of its words",
                query=pattern_query(text.strip()),
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
        own = pa.table({"row": rows, "text": sentences}).filter(kept).group_by(["row", "text"]).aggregate([])
        for entry in pc.value_counts(own["text"]).to_pylist():
            counts[entry["values"]] += entry["counts"]
    for sentence, count in counts.most_common():
        if count < max(_AGAIN, 0.005 * texts):
            return
        yield Finding(
            check="sentence",
            text=sentence,
            count=count,
            message=f"is a sentence of {count:,} captions",
            query=phrase_query(sentence),
        )


def _same(captions: pa.ChunkedArray) -> Iterator[Finding]:
    texts = pc.drop_null(pc.utf8_trim_whitespace(captions))
    entries = [entry for entry in pc.value_counts(texts).to_pylist() if entry["counts"] > 1]
    for entry in sorted(entries, key=lambda entry: -entry["counts"]):
        if entry["values"]:
            yield Finding(
                check="same",
                text=entry["values"],
                count=entry["counts"],
                message=f"is the caption of {entry['counts']:,} pictures",
                query=pattern_query(entry["values"], r"^\s*", r"\s*$"),
            )


def _cases(texts: Sequence[str]) -> Iterator[Finding]:
    """Words in unusual upper or lower case, behind the beginning of a sentence; and capitals in a row."""
    forms: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    loud = 0
    for text in _matching(texts, f"{_INNER_CAPITAL}|{_CAPITALS.pattern}"):
        loud += _CAPITALS.search(text) is not None
        words = list(WORD.finditer(_CAPITALS.sub("\n", text)))
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
    lower = _counts(texts, forms)
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


def _matching(texts: Sequence[str], pattern: str) -> Iterator[str]:
    """The texts in which RE2 finds a pattern, which takes a tenth of Python's time."""
    return itertools.compress(
        texts, pc.match_substring_regex(pa.array(texts, pa.string()), pattern).to_pylist()
    )


def _counts(texts: Sequence[str], words: Collection[str]) -> dict[str, int]:
    """How often each of these words is in the texts, in this case."""
    found: collections.Counter[str] = collections.Counter()
    wanted = pa.array(list(words), pa.string())
    for start in range(0, len(texts) if words else 0, _BLOCK):
        block = pa.array(texts[start : start + _BLOCK], pa.string())
        parts = pc.utf8_trim(pc.split_pattern_regex(block, _NO_WORD).flatten(), characters="'\u2019-")
        for entry in pc.value_counts(parts.filter(pc.is_in(parts, wanted))).to_pylist():
            found[entry["values"]] += entry["counts"]
    return found


def _prompts(texts: Sequence[str]) -> Iterator[Finding]:
    counts: collections.Counter[str] = collections.Counter()
    likely = set(_matching(texts, f"{_LEAK.pattern}|{TURN_SIGNS}"))
    for text in texts:
        if is_refusal(text):
            counts[" ".join(text.split()[:6])] += 1
        elif text not in likely:
            continue
        elif found := (_LEAK.search(text) or next_turn().search(text)):
            counts[found[0].strip()] += 1
    for text, count in counts.most_common():
        yield Finding(
            check="prompt",
            text=text,
            count=count,
            message="is of a prompt or a refusal, not a caption",
            query=phrase_query(text),
        )
