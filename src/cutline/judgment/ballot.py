"""The voting page: one offline HTML file, blind, whose only script is allowed by its hash."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.resources
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson
from markupsafe import Markup

from cutline.errors import ConfigError, OutputExists
from cutline.files import write_atomically, write_errors
from cutline.imaging.thumbnails import Thumbnail, side_for
from cutline.judgment.contest import Contest
from cutline.judgment.games import Schedule
from cutline.storage import is_remote
from cutline.web.html import page_policy, render, style

MADE_BY: Final = "cutline judge --people"
_MARK: Final = f'<meta name="generator" content="{MADE_BY}">'.encode()
_SIDES: Final = ((100, 900), (300, 640))  # number of pictures, pixels of a side


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BallotGame:
    """Two different captions of a picture, in an order independent of their authors."""

    picture: str
    texts: tuple[str, str]

    @property
    def id(self) -> str:
        return _digest(self.picture, *self.texts)


def text_id(text: str) -> str:
    """The id of a caption in a vote."""
    return _digest(text)


def ballot_games(contest: Contest, games: Schedule) -> list[BallotGame]:
    """Every pair of different captions once, in a shuffled but stable order."""
    captions = {one.name: one.captions for one in contest.contestants}
    found = {
        BallotGame(
            picture=one.picture,
            texts=_sorted(captions[one.first][one.picture], captions[one.second][one.picture]),
        )
        for one in games.games
    }
    return sorted(found, key=lambda one: one.id)


def ballot_side(pictures: int) -> int:
    """The longest side of each picture, smaller for many, to limit the size of the page."""
    return next((side for most, side in _SIDES if pictures <= most), side_for(pictures))


def check_ballot(path: str) -> None:
    """Raise ConfigError if the page cannot be written, or would replace another file."""
    if is_remote(path) or Path(path).suffix.lower() not in {".html", ".htm"}:
        raise ConfigError(f"the voting page is a local .html file: change --people {path}")
    if not Path(path).resolve().parent.is_dir():
        raise ConfigError(f"there is no folder {Path(path).parent} for --people: create it first")
    if Path(path).is_dir():
        raise ConfigError(f"{path} is a folder: give --people the name of a file in it")
    if Path(path).exists() and _MARK not in Path(path).read_bytes()[:2000]:
        raise OutputExists(f"{path} exists and is not a voting page: choose another file for --people")


def write_ballot(
    path: str, contest: Contest, games: Schedule, thumbnails: Mapping[str, Thumbnail | str]
) -> int:
    """Write the page; returns its number of games. Raises SinkError if it cannot be written."""
    listed = ballot_games(contest, games)
    with write_errors(Path(path)):
        write_atomically(Path(path), _page(listed, thumbnails).encode())
    return len(listed)


def _page(games: list[BallotGame], thumbnails: Mapping[str, Thumbnail | str]) -> str:
    script = importlib.resources.files("cutline.web").joinpath("ballot.js").read_text("utf-8")
    contest = _digest(*(one.id for one in games))
    return render(
        "ballot.html",
        title="Which caption describes the picture better?",
        policy=page_policy(script),
        made_by=MADE_BY,
        style=style("ballot.css"),
        script=Markup(script),  # noqa: S704 - ours, and allowed by its hash
        games={"contest": contest, **_data(games, thumbnails)},
        count=len(games),
    )


def _data(games: list[BallotGame], thumbnails: Mapping[str, Thumbnail | str]) -> dict[str, Any]:
    keys = list(dict.fromkeys(one.picture for one in games))
    places = {key: place for place, key in enumerate(keys)}
    return {
        "pictures": [{"key": key, **_picture(thumbnails.get(key, "it was not loaded"))} for key in keys],
        "games": [
            {
                "id": one.id,
                "picture": places[one.picture],
                "texts": [{"id": text_id(text), "text": text} for text in one.texts],
            }
            for one in games
        ],
    }


def _picture(found: Thumbnail | str) -> dict[str, Any]:
    if isinstance(found, str):
        return {"problem": found}
    return {"url": found.url, "width": found.width, "height": found.height}


def _sorted(*texts: str) -> tuple[str, str]:
    first, second = sorted(texts, key=text_id)
    return first, second


def _digest(*texts: str) -> str:
    return hashlib.blake2b(orjson.dumps(texts), digest_size=8).hexdigest()
