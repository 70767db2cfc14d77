"""Complete a query at a position: fields, and values of the dataset."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol

import regex

from cutline.dataset.query.fields import FIELDS, VALUES

_TERM: Final = regex.compile(r'-?(?:([a-z]+):)?(?:"(?:\\"|[^"])*"?|[^\s()"])*', regex.IGNORECASE)
_BARE: Final = regex.compile(r"[^\s()\"]+")
_IN_REGEX: Final = regex.compile(r"(?<![^\s(-])re:/(?:\\.|[^\\/])*+(?:/[a-z]*)?$", regex.IGNORECASE)
_FEW: Final = 4  # tags that a word without a field may mean


class Vocabulary(Protocol):
    """The values of a dataset."""

    def tag_counts(self, text: str, limit: int) -> list[tuple[str, int]]:
        """Tags that contain ``text``, with their counts."""
        ...

    def models(self) -> Sequence[str]:
        """The models of captions."""
        ...

    def folders(self) -> Sequence[str]:
        """The folders of the pictures, each with a slash at its end."""
        ...

    def sets(self) -> Mapping[str, int]:
        """Named sets, with their numbers of pictures."""
        ...

    def clusters(self) -> Mapping[str, int]:
        """Names of clusters, with their numbers of pictures."""
        ...

    def filters(self) -> Mapping[str, str]:
        """Saved queries by name."""
        ...


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A ``text`` to replace the characters ``start`` to ``end`` of the query, and its meaning."""

    text: str
    about: str
    start: int
    end: int


def complete(query: str, place: int, words: Vocabulary, limit: int = 10) -> list[Completion]:
    """The completions, the best first; none if nothing matches, and within a regular expression."""
    if _IN_REGEX.search(query[:place]):
        return []
    found = next(one for one in _TERM.finditer(query[:place]) if one.end() == len(query[:place]))
    term = found[0]
    minus = "-" if term.startswith("-") else ""
    start = found.start() + len(minus)
    end = place + _rest(query[place:], is_quoted=term.count('"') % 2 == 1)
    field = (found[1] or "").lower()
    if field in FIELDS:
        typed = term[len(minus) + len(field) + 1 :].strip('"')
        values = _values(field, typed, words, limit)
        pairs = [(f"{field}:{quoted(value)}", about) for value, about in values]
    else:
        typed = term[len(minus) :].strip('"')
        pairs = list(_terms(typed, words))
    kept = [
        Completion(text=text, about=about, start=start, end=end)
        for text, about in pairs
        if text != query[start:end]
    ]
    return kept[:limit]


def quoted(value: str) -> str:
    """A value in the syntax of queries, quoted if necessary."""
    if _BARE.fullmatch(value):
        return value
    return '"' + value.replace('"', '\\"') + '"'


def _rest(text: str, *, is_quoted: bool) -> int:
    """How many characters after the position belong to the term."""
    if is_quoted:
        closing = text.find('"')
        return closing + 1 if closing >= 0 else 0
    bare = _BARE.match(text)
    return len(bare[0]) if bare is not None else 0


def _values(field: str, typed: str, words: Vocabulary, limit: int) -> Iterator[tuple[str, str]]:
    low = typed.lower()
    if field == "tag":
        for tag, count in words.tag_counts(typed, limit):
            yield tag, f"{count:,}"
        return
    texts: Mapping[str, str] = {}
    match field:
        case "model":
            texts = dict.fromkeys(words.models(), "")
        case "path":
            texts = dict.fromkeys(words.folders(), "folder")
        case "saved":
            texts = words.filters()
        case "in":
            texts = {name: f"{count:,}" for name, count in words.sets().items()}
        case "cluster":
            texts = {name: f"{count:,}" for name, count in words.clusters().items()}
        case _ if field in VALUES:
            texts = dict.fromkeys(VALUES[field], "")
    begin = [pair for pair in texts.items() if pair[0].lower().startswith(low)]
    within = [pair for pair in texts.items() if low in pair[0].lower() and pair not in begin]
    yield from begin + within


def _terms(typed: str, words: Vocabulary) -> Iterator[tuple[str, str]]:
    low = typed.lower()
    for field, about in FIELDS.items():
        if field.startswith(low) and low != field:
            yield f"{field}:", about
    if not low:
        return
    for name, query in words.filters().items():
        if low in name.lower():
            yield f"saved:{quoted(name)}", query
    for tag, count in words.tag_counts(typed, _FEW):
        yield f"tag:{quoted(tag)}", f"{count:,}"
