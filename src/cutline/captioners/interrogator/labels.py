"""The words that pictures are held against: from the package clip-interrogator, or the user's own files."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError

PACKAGE: Final = "clip_interrogator"
_FILES: Final = ("artists", "flavors", "mediums", "movements", "negative")

# The places that the original has in its code and not in its files.
_SITES: Final = (
    *("Artstation", "behance", "cg society", "cgsociety", "deviantart", "dribble", "flickr", "instagram"),
    *("pexels", "pinterest", "pixabay", "pixiv", "polycount", "reddit", "shutterstock", "tumblr"),
    *("unsplash", "zbrush central"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Words and phrases of six kinds, as they stand in a caption; ``negative`` for what a picture is not."""

    artists: tuple[str, ...]
    flavors: tuple[str, ...]
    mediums: tuple[str, ...]
    movements: tuple[str, ...]
    trendings: tuple[str, ...]
    negative: tuple[str, ...]


def read_labels(folder: str | None) -> Labels:
    """The labels in ``folder``, or of the installed package, which is not imported for that.

    A folder holds ``artists.txt``, ``flavors.txt``, ``mediums.txt``, ``movements.txt`` and
    ``negative.txt``, one label a line; ``trendings.txt`` takes the place of the art sites known here.

    Raises:
        ConfigError: the folder or a file in it cannot be read, or there is no package to take them from.
    """
    path = _package_data() if folder is None else Path(folder).expanduser()
    if not path.is_dir():
        raise ConfigError(
            f"there is no folder of labels {path}: give one with {', '.join(_FILES)} as .txt files"
        )
    lists = {name: _lines(path / f"{name}.txt") for name in _FILES}
    artists = lists.pop("artists")
    own = path / "trendings.txt"
    return Labels(
        artists=(*(f"by {name}" for name in artists), *(f"inspired by {name}" for name in artists)),
        trendings=_lines(own) if own.is_file() else _trendings(),
        **lists,
    )


def _package_data() -> Path:
    try:
        found = importlib.util.find_spec(PACKAGE)
    except ValueError:  # a module of that name without a spec
        found = None
    places = list(found.submodule_search_locations or ()) if found is not None else []
    if not places:
        raise ConfigError(
            "interrogator needs label files: pip install --no-deps clip-interrogator, "
            "or name your own with --model interrogator:labels=FOLDER"
        )
    return Path(places[0]) / "data"


def _lines(path: Path) -> tuple[str, ...]:
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise ConfigError(f"the labels in {path} cannot be read: {error.strerror}") from None
    lines = tuple(line.strip() for line in text.split("\n"))
    labels = tuple(line for line in lines if line)
    if not labels:
        raise ConfigError(f"there are no labels in {path}")
    return labels


def _trendings() -> tuple[str, ...]:
    return (
        *_SITES,
        *(f"trending on {site}" for site in _SITES),
        *(f"featured on {site}" for site in _SITES),
        *(f"{site} contest winner" for site in _SITES),
    )
