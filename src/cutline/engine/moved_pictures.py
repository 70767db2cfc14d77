"""Move rejected pictures, with the texts beside them, to another folder, and all of them back.

Each move is noted before it is made, in ``moved.jsonl`` of the folder, so that one that is interrupted can be
taken back too. Nothing is replaced: a name that is taken gets a number, and moving back leaves alone what has
come to the old place meanwhile.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

import orjson

from cutline.errors import ConfigError
from cutline.files import name_to_text, sync_file, text_to_name, write_errors
from cutline.imaging import EXTENSIONS
from cutline.locations.roots import is_within
from cutline.records import JSON
from cutline.serialization import checked, encode_json

LIST: Final = "moved.jsonl"

_HEAD: Final = 8  # bytes with which every line begins


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """``pictures`` and ``texts`` are in their old places.

    ``taken`` are not, as something else is there: each with the place where it is now; ``gone`` are in
    neither place.
    """

    pictures: int
    texts: int
    taken: tuple[tuple[str, str], ...]
    gone: tuple[str, ...]


class PictureMover:
    """Moves pictures of ``root`` into ``folder``, each to the same place in it; close it at the end.

    Raises:
        ConfigError: the folder is in the root, or the root in it.
    """

    def __init__(self, root: str, folder: str) -> None:
        self._root = os.path.realpath(root)
        self._folder = os.path.realpath(folder)
        if is_within(self._folder, self._root) or is_within(self._root, self._folder):
            raise ConfigError(f"--move-to {folder} must be a folder outside of {root}: choose another one")
        self._list: IO[bytes] | None = None
        self.list = Path(self._folder) / LIST
        self.moved = 0
        self.texts = 0

    def moved_before(self) -> list[str]:
        """The paths in the root of pictures that earlier calls moved here; raises ConfigError."""
        if not self.list.exists():
            return []
        moved = (os.path.realpath(old) for old, _, is_text in _lines(self.list) if not is_text)
        return [os.path.relpath(old, self._root) for old in moved if is_within(old, self._root)]

    def move(self, file: str) -> None:
        """Move a picture and the texts that belong to it alone; raises SinkError where that is impossible."""
        with write_errors(self._folder):
            texts = _texts_of(file)
            self._move(file)
            self.moved += 1
            for text in texts:
                self._move(text, is_text=True)
                self.texts += 1

    def _move(self, file: str, *, is_text: bool = False) -> None:
        place = os.path.relpath(os.path.realpath(os.path.dirname(file)), self._root)  # noqa: PTH120 - a name need not be text
        name = os.path.basename(file)  # noqa: PTH119 - as above
        folder = Path(self._folder, place)
        folder.mkdir(parents=True, exist_ok=True)
        target = _free(folder / name)
        if self._list is None:
            self._list = self.list.open("ab")
        line: JSON = {"from": name_to_text(os.path.abspath(file)), "to": name_to_text(os.fspath(target))}  # noqa: PTH100 - as above
        if is_text:
            line["text"] = True
        self._list.write(encode_json(line) + b"\n")
        self._list.flush()
        os.fsync(self._list.fileno())
        _rename(file, os.fspath(target))

    def close(self) -> None:
        if self._list is not None:
            self._list.close()


def move_back(listed: Path) -> Restored:
    """Move all pictures of a list back to where they were.

    Raises:
        ConfigError: there is no such list, or it is another file.
        SinkError: a file cannot be moved; the same call continues.
    """
    listed = listed / LIST if listed.is_dir() else listed
    back = {False: 0, True: 0}
    taken, gone = [], []
    for old, new, is_text in _lines(listed):
        if not os.path.lexists(new):
            if not os.path.lexists(old):
                gone.append(new)
            continue
        if os.path.lexists(old):
            taken.append((old, new))
            continue
        with write_errors(old):
            Path(old).parent.mkdir(parents=True, exist_ok=True)
            _rename(new, old)
        back[is_text] += 1
    if not taken and not gone:
        listed.unlink()
        _remove_empty(listed.parent)
    return Restored(pictures=back[False], texts=back[True], taken=tuple(taken), gone=tuple(gone))


def _lines(listed: Path) -> Iterator[tuple[str, str, bool]]:
    """Where each file was and where it was moved, and whether it is a text."""
    try:
        data = listed.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"there is no list of moved pictures at {listed}: all are back already, or they were moved to "
            "another folder: give the one of --move-to"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read the list of moved pictures {listed}: {error.strerror}") from None
    lines = data.splitlines(keepends=True)
    for number, line in enumerate(lines, start=1):
        if not line.endswith(b"\n") and line[:_HEAD] == b'{"from":'[: len(line)]:
            return  # its move was not begun
        try:
            row = orjson.loads(line)
            old, new = (text_to_name(checked(row[name], str)) for name in ("from", "to"))
        except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
            raise ConfigError(f"{listed} is not a list of `filter --move-to`: line {number}") from None
        yield old, new, row.get("text") is True


def _texts_of(file: str) -> Sequence[str]:
    """The other files named after a picture, such as ``a.txt`` and ``a.jpg.caption`` of ``a.jpg``.

    None of those that belong to another picture of that name too.
    """
    folder, name = os.path.split(file)
    stem = os.path.splitext(name)[0]  # noqa: PTH122 - a name need not be text
    beside = sorted(each for each in os.listdir(folder or ".") if each != name)  # noqa: PTH208 - as above
    shared = any(_is_picture(each) and os.path.splitext(each)[0] == stem for each in beside)  # noqa: PTH122 - as above
    texts = []
    for each in beside:
        own = each.startswith(f"{name}.") or (os.path.splitext(each)[0] == stem and not shared)  # noqa: PTH122 - as above
        path = os.path.join(folder, each)  # noqa: PTH118 - as above
        if own and not _is_picture(each) and os.path.isfile(path):  # noqa: PTH113 - as above
            texts.append(path)
    return texts


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower().lstrip(".") in EXTENSIONS  # noqa: PTH122 - a name need not be text


def _free(path: Path) -> Path:
    """The path, or one with a number where something is there."""
    number, free = 1, path
    while os.path.lexists(free):
        number += 1
        free = path.with_name(f"{path.stem} ({number}){path.suffix}")
    return free


def _rename(old: str, new: str) -> None:
    """Rename, or on another file system copy before the old file is removed; nothing is replaced."""
    try:
        os.rename(old, new)  # noqa: PTH104 - as above
    except OSError as error:
        if error.errno != 18:  # EXDEV
            raise
        part = f"{new}.part"
        shutil.copy2(old, part, follow_symlinks=False)
        if not Path(part).is_symlink():
            sync_file(Path(part))
        os.rename(part, new)  # noqa: PTH104 - as above
        os.unlink(old)  # noqa: PTH108 - as above


def _remove_empty(folder: Path) -> None:
    """Remove the folders that were made and are empty again."""
    for place, _, _ in sorted(os.walk(folder), reverse=True):
        if not os.listdir(place):  # noqa: PTH208 - only whether there is one
            os.rmdir(place)  # noqa: PTH106 - as above
