"""Parses queries: ``cat -tag:sleeping (words>40 OR missing:) "on a mat" re:/colou?r/i path:train/*``."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping
from typing import Final

import regex

from cutline.dataset.query.fields import FIELDS, VALUES
from cutline.dataset.query.tree import (
    And,
    Contains,
    Everything,
    Mark,
    Node,
    Not,
    Or,
    Path,
    Pattern,
    Size,
    Tag,
)
from cutline.errors import ConfigError

_SIZES: Final = frozenset({"words", "chars", "tokens"})
_DEFAULTS: Final = {"missing": "yes", "edited": "yes", "has": "proposal"}
_FIELD: Final = regex.compile(r"([a-z]+)(:|>=|<=|>|<|=)", regex.IGNORECASE)
_SIGN: Final = regex.compile(r"\s+(>=|<=|>|<|=)")
_RANGE: Final = regex.compile(r"(\d{1,9})?(\.\.)?(\d{1,9})?")
_WORD: Final = regex.compile(r'[^\s()"]+')
_VALUE: Final = regex.compile(r'"((?:\\"|[^"])*)"|[^\s()"]*')
_COMMAS: Final = regex.compile("[,，、،]")  # noqa: RUF001 - of other scripts
_NAMES: Final = frozenset({"model", "in", "cluster"})  # fields whose values have a case
_MAX_DEPTH: Final = 50


class QueryError(ConfigError):
    """A query that cannot be parsed. ``start`` and ``end`` delimit the error."""

    def __init__(self, message: str, start: int, end: int) -> None:
        super().__init__(message)
        self.start, self.end = start, end


def parse(
    text: str, saved: Mapping[str, str] | None = None, check: Callable[[str, str], object] | None = None
) -> Node:
    """The tree of a query; raises QueryError. ``saved``: queries by name, for ``saved:``.

    ``check`` is called with ``in`` or ``cluster`` and a name, and raises ConfigError if it does not exist.
    """
    parser = _Parser(text, saved or {}, check)
    node = parser.disjunction(0)
    if parser.place < len(text):
        raise QueryError("this bracket has no opening one", parser.place, parser.place + 1)
    return node


@dataclasses.dataclass(slots=True)
class _Parser:
    text: str
    saved: Mapping[str, str]
    check: Callable[[str, str], object] | None
    place: int = 0

    def disjunction(self, depth: int) -> Node:
        if depth > _MAX_DEPTH:
            raise QueryError("brackets are nested too deeply", self.place, len(self.text))
        nodes = [self._conjunction(depth)]
        while (start := self._take_word("OR")) is not None:
            nodes.append(self._conjunction(depth))
            if Everything() in nodes[-2:]:
                raise QueryError("OR needs something on both sides", start, start + 2)
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _conjunction(self, depth: int) -> Node:
        nodes: list[Node] = []
        while True:
            start = self._take_word("AND")
            if not self._at_term():
                if start is not None:
                    raise QueryError("AND needs something on both sides", start, start + 3)
                break
            if start is not None and not nodes:
                raise QueryError("AND needs something on both sides", start, start + 3)
            nodes.append(self._negation(depth))
        if not nodes:
            return Everything()
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _negation(self, depth: int) -> Node:
        start = self._take_word("NOT")
        if (
            start is None
            and self.text[self.place] == "-"
            and self.text[self.place + 1 : self.place + 2].strip()
        ):
            start = self.place
            self.place += 1
        if start is None:
            return self._term(depth)
        if not self._at_term():
            raise QueryError("NOT needs something after it", start, self.place)
        if depth > _MAX_DEPTH:
            raise QueryError("the query is nested too deeply", self.place, len(self.text))
        return Not(self._negation(depth + 1))

    def _term(self, depth: int) -> Node:
        start, char = self.place, self.text[self.place]
        if char == "(":
            self.place += 1
            node = self.disjunction(depth + 1)
            self._skip()
            if self.text[self.place : self.place + 1] != ")":
                raise QueryError("this bracket is not closed", start, start + 1)
            self.place += 1
            return node
        if char == '"':
            return Contains(self._value(), is_phrase=True)
        field = _FIELD.match(self.text, self.place)
        if field is not None and field[1].lower() in FIELDS:
            self.place = field.end()
            return self._field(field[1].lower(), field[2], start)
        found = _WORD.match(self.text, self.place)
        assert found is not None
        if field is not None:
            known = FIELDS if field[2] == ":" else _SIZES
            near = difflib.get_close_matches(field[1].lower(), known, n=1)
            if near:
                other = near[0] + field[2]
                message = f'there is no field {field[0]}; did you mean {other} or the words "{found[0]}"?'
                raise QueryError(message, start, field.end())
        self.place = found.end()
        apart = _SIGN.match(self.text, self.place)
        if apart is not None and found[0].lower() in _SIZES:
            message = f'write {found[0]}{apart[1]}… without blanks, or the word "{found[0]}"'
            raise QueryError(message, start, apart.end())
        return Contains(found[0])

    def _field(self, name: str, sign: str, start: int) -> Node:
        if name in _SIZES:
            return self._size(name, sign, start)
        if sign != ":":
            raise QueryError(f"{name} has no size: write {name}:…", start, self.place)
        if name == "re":
            return self._pattern(start)
        value = self._value() or _DEFAULTS.get(name, "")
        if not value:
            message = f"{name}: needs a value: {FIELDS[name]}"
            raise QueryError(message + self._saved_names() * (name == "saved"), start, self.place)
        if name in VALUES and value.lower() not in VALUES[name]:
            message = f"{name}: takes {', '.join(VALUES[name])}, not {value}"
            raise QueryError(message, start, self.place)
        match name:
            case "saved":
                node = self._saved(value, start)
            case "tag":
                node = Tag(value)
            case "path":
                node = Path(value)
            case "any" | "all":
                node = self._keywords(name, value, start)
            case _:
                node = self._mark(name, value, start)
        return node

    def _mark(self, name: str, value: str, start: int) -> Node:
        if self.check is not None and name in {"in", "cluster"}:
            try:
                self.check(name, value)
            except ConfigError as error:
                raise QueryError(str(error), start, self.place) from None
        return Mark(name, value if name in _NAMES else value.lower())

    def _keywords(self, name: str, value: str, start: int) -> Node:
        nodes: list[Node] = []
        for keyword in filter(None, map(str.strip, _COMMAS.split(value))):
            text = keyword.rstrip("*").rstrip()
            if not text:
                raise QueryError(f"{name}: * must follow the beginning of a word", start, self.place)
            nodes.append(Contains(text, is_phrase=True, is_prefix=keyword.endswith("*")))
        if not nodes:
            raise QueryError(f"{name}: needs a value: {FIELDS[name]}", start, self.place)
        if len(nodes) == 1:
            return nodes[0]
        return Or(tuple(nodes)) if name == "any" else And(tuple(nodes))

    def _saved(self, name: str, start: int) -> Node:
        if name not in self.saved:
            raise QueryError(
                f"there is no saved filter {name}{self._saved_names() or ' here'}", start, self.place
            )
        others = {other: query for other, query in self.saved.items() if other != name}  # a circle ends
        try:
            return parse(self.saved[name], others, self.check)
        except QueryError as error:
            raise QueryError(f"in the saved filter {name}: {error}", start, self.place) from None

    def _saved_names(self) -> str:
        return f"; there are {', '.join(sorted(self.saved)[:20])}" if self.saved else ""

    def _size(self, unit: str, sign: str, start: int) -> Node:
        found = _RANGE.match(self.text, self.place)
        assert found is not None
        self.place = found.end()
        low, dots, high = found[1], found[2], found[3]
        if (low is None and high is None) or (dots and sign not in {":", "="}):
            raise QueryError(f"{unit} needs a number: {FIELDS[unit]}", start, max(self.place, start + 1))
        rest = self.text[self.place : self.place + 1]
        if rest and not rest.isspace() and rest not in "()":
            raise QueryError(f"{unit} needs a whole number: {FIELDS[unit]}", start, self.place + 1)
        if dots and low and high and int(low) > int(high):
            raise QueryError(f"the smaller number comes first: {unit}:{high}..{low}", start, self.place)
        if dots:
            return Size(unit, int(low or 0), int(high) if high is not None else None)
        number = int(low)
        match sign:
            case ">":
                return Size(unit, number + 1)
            case ">=":
                return Size(unit, number)
            case "<":
                return Size(unit, 0, number - 1)
            case "<=":
                return Size(unit, 0, number)
        return Size(unit, number, number)

    def _pattern(self, start: int) -> Node:
        if self.text[self.place : self.place + 1] == "/":
            end = self._closing_slash(start)
            pattern = self.text[self.place + 1 : end]
            flags = regex.compile("[a-z]*").match(self.text, end + 1)
            assert flags is not None
            self.place = flags.end()
            if set(flags[0]) - {"i"}:
                raise QueryError("the only flag of a pattern is i", end + 1, self.place)
            ignore_case = "i" in flags[0]
        else:
            pattern, ignore_case = self._value(), False
        try:
            regex.compile(pattern)
        except regex.error as error:
            raise QueryError(f"the pattern is not valid: {error}", start, self.place) from None
        if not pattern:
            raise QueryError(f"re: needs a pattern: {FIELDS['re']}", start, self.place)
        return Pattern(pattern, ignore_case)

    def _closing_slash(self, start: int) -> int:
        place = self.place + 1
        while place < len(self.text):
            if self.text[place] == "\\":
                place += 1
            elif self.text[place] == "/":
                return place
            place += 1
        raise QueryError("this pattern is not closed by a slash", start, len(self.text))

    def _value(self) -> str:
        found = _VALUE.match(self.text, self.place)
        assert found is not None
        if not found[0] and self.text[self.place : self.place + 1] == '"':
            raise QueryError("this quotation mark is not closed", self.place, len(self.text))
        self.place = found.end()
        return found[1].replace('\\"', '"') if found[1] is not None else found[0]

    def _take_word(self, word: str) -> int | None:
        """The position of the last operator."""
        self._skip()
        end = self.place + len(word)
        follows = self.text[end : end + 1]
        if self.text[self.place : end] == word and (not follows or follows.isspace() or follows in '()"'):
            start, self.place = self.place, end
            self._skip()
            return start
        return None

    def _at_term(self) -> bool:
        self._skip()
        return self.place < len(self.text) and self.text[self.place] != ")" and not self._at_or()

    def _at_or(self) -> bool:
        follows = self.text[self.place + 2 : self.place + 3]
        return self.text.startswith("OR", self.place) and (
            not follows or follows.isspace() or follows in '()"'
        )

    def _skip(self) -> None:
        while self.place < len(self.text) and self.text[self.place].isspace():
            self.place += 1
