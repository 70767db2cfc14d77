"""Read the files of votes that the page saves, and match them with the captions of a contest."""

from __future__ import annotations

import codecs
import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.formatting import one_line, plural, printable
from cutline.judgment.ballot import text_id
from cutline.judgment.contest import Contest
from cutline.judgment.games import Game, Winner
from cutline.named_files import read_named
from cutline.records import JSON
from cutline.serialization import decode_object
from cutline.sidecars.table_text import as_utf8

_FIELDS: Final = ("voter", "image_id", "first", "second", "verdict")
_VERDICTS: Final[dict[object, Winner]] = {"first": "first", "second": "second", "tie": "tie"}
_SHOWN: Final = 3  # damaged lines that are named


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """A person's verdict on two captions of a picture, by the ids of their texts."""

    voter: str
    picture: str
    first: str
    second: str
    winner: Winner

    @property
    def pair(self) -> tuple[str, frozenset[str]]:
        return self.picture, frozenset((self.first, self.second))

    @property
    def better(self) -> str:
        """The id of the better text; empty for a tie."""
        return "" if self.winner == "tie" else str(getattr(self, self.winner))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Votes:
    """The votes about the captions of a contest; of two votes of a person on a pair, the last.

    ``games`` are the votes as games of contestants: several if contestants share a text. ``warnings`` name
    ignored lines and votes.
    """

    votes: Sequence[Vote]
    games: Sequence[tuple[Vote, Game]]
    warnings: tuple[str, ...] = ()

    @property
    def voters(self) -> int:
        return len({one.voter for one in self.votes})


def read_votes(files: Sequence[str], contest: Contest) -> Votes:
    """The votes in files that the page saved.

    Raises:
        ConfigError: a file cannot be read, or none of its votes is about these captions.
    """
    names = _names_by_text(contest)
    found: dict[tuple[str, tuple[str, frozenset[str]]], Vote] = {}
    warnings: list[str] = []
    for file in files:
        read, damaged = _read(file)
        known = [one for one in read if {(one.picture, one.first), (one.picture, one.second)} <= names.keys()]
        if not known:
            raise ConfigError(_none_of_these(file, len(read), damaged))
        found.update(((one.voter, one.pair), one) for one in known)
        if damaged:
            shown = ", ".join(map(str, damaged[:_SHOWN])) + (", …" if len(damaged) > _SHOWN else "")
            warnings.append(f"{printable(file)}: ignored what is not a vote, in line {shown}")
        if other := len(read) - len(known):
            warnings.append(f"{printable(file)}: ignored {plural(other, 'vote')} about other captions")
    votes = list(found.values())
    games = [
        (one, Game(picture=one.picture, first=first, second=second))
        for one in votes
        for first in names[one.picture, one.first]
        for second in names[one.picture, one.second]
    ]
    return Votes(votes=votes, games=games, warnings=tuple(warnings))


def _none_of_these(file: str, votes: int, damaged: Sequence[int]) -> str:
    if not votes:
        what = "no line of it is a vote" if damaged else "it is empty"
        return f"{printable(file)} holds no votes, {what}: give the files that the page of --people saved"
    return (
        f"{printable(file)}: none of its {plural(votes, 'vote')} is about these captions: give the outputs "
        "that the page was made from"
    )


def _names_by_text(contest: Contest) -> dict[tuple[str, str], list[str]]:
    """The contestants that have a text, by picture and id of the text."""
    names: dict[tuple[str, str], list[str]] = {}
    for contestant in contest.contestants:
        for key, text in contestant.captions.items():
            names.setdefault((key, text_id(text)), []).append(contestant.name)
    return names


def _read(file: str) -> tuple[list[Vote], list[int]]:
    """The votes in a file, and the numbers of the lines that are none."""
    votes, damaged = [], []
    try:
        data = as_utf8(read_named(Path(file))).removeprefix(codecs.BOM_UTF8)  # as editors save it
    except FileNotFoundError:
        raise ConfigError(f"{printable(file)} does not exist") from None
    except OSError as error:
        raise ConfigError(f"{printable(file)} cannot be read: {one_line(error)}") from None
    for number, line in enumerate(data.split(b"\n"), 1):
        if not line.strip():
            continue
        vote = _vote(decode_object(line))
        if vote is None:
            damaged.append(number)
        else:
            votes.append(vote)
    return votes, damaged


def _vote(data: JSON | None) -> Vote | None:
    if data is None or not all(isinstance(data.get(name), str) for name in _FIELDS):
        return None
    winner = _VERDICTS.get(data["verdict"])
    if winner is None or data["first"] == data["second"]:
        return None
    return Vote(
        voter=data["voter"],
        picture=data["image_id"],
        first=data["first"],
        second=data["second"],
        winner=winner,
    )


def pairs_of_votes(votes: Sequence[Vote]) -> Iterator[tuple[Vote, Vote]]:
    """All pairs of votes by different people on the same pair of captions."""
    by_pair: dict[tuple[str, frozenset[str]], list[Vote]] = {}
    for one in votes:
        for other in by_pair.setdefault(one.pair, []):
            yield other, one
        by_pair[one.pair].append(one)
