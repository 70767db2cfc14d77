"""The labels to rank: from the package clip-interrogator, or from the user's files."""

from __future__ import annotations

import dataclasses
import importlib.util
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.setting_files import read_text

PACKAGE: Final = "clip_interrogator"
_FILES: Final = ("artists", "flavors", "mediums", "movements", "negative")

# The original has these sites in its code, not in its files.
_SITES: Final = (
    *("Artstation", "behance", "cg society", "cgsociety", "deviantart", "dribble", "flickr", "instagram"),
    *("pexels", "pinterest", "pixabay", "pixiv", "polycount", "reddit", "shutterstock", "tumblr"),
    *("unsplash", "zbrush central"),
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Phrases of six kinds, as used in a caption; ``negative`` for the negative mode."""

    artists: tuple[str, ...]
    flavors: tuple[str, ...]
    mediums: tuple[str, ...]
    movements: tuple[str, ...]
    trendings: tuple[str, ...]
    negative: tuple[str, ...]


def read_labels(folder: str | None) -> Labels:
    """Read the labels in ``folder``, or of the installed package, without importing it.

    A folder contains ``artists.txt``, ``flavors.txt``, ``mediums.txt``, ``movements.txt`` and
    ``negative.txt``, one label a line; ``trendings.txt`` replaces the built-in art sites.

    Raises:
        ConfigError: the folder or a file in it cannot be read, or the package is not installed.
    """
    path = _package_data() if folder is None else Path(folder).expanduser()
    if not path.is_dir():
        raise ConfigError(
            f"the folder of labels {path} does not exist: it needs {', '.join(_FILES)} as .txt files"
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
    folders = list(found.submodule_search_locations or ()) if found is not None else []
    if not folders:
        raise ConfigError(
            "interrogator needs label files: pip install --no-deps clip-interrogator, "
            "or use your own with --model interrogator:labels=FOLDER"
        )
    return Path(folders[0]) / "data"


def _lines(path: Path) -> tuple[str, ...]:
    text = read_text(path, "label file", errors="replace")
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
