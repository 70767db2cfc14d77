"""Names of sidecars: which text belongs to a picture, and which names are safe to write."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import unicodedata
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cutline.errors import ConfigError
from cutline.files import text_to_name
from cutline.imaging import EXTENSIONS

ENDING = ".txt"
_ENDING = re.compile(r"\.[a-z0-9_-]{1,16}")
_MAX_BYTES = 255
_MAX_PATH = 2000
_FOLDERS = 16  # whose listing is remembered
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*")
_NOWHERE = re.compile(r"[\\\0]")
_UNPORTABLE = re.compile(r'[\\\0-\x1f<>:"|?*]')
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?\s*")


def fold(path: str) -> str:
    """``path`` with its last name as a case-insensitive file system compares it (NTFS, APFS)."""
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{name.lower() if name.isascii() else unicodedata.normalize('NFC', name).lower()}"


class SidecarIndex:
    """The text files of a listing, found as on a case-insensitive file system; an exact name comes first."""

    def __init__(self, names: Iterable[str], ending: str = ENDING) -> None:
        """``names`` are file names or paths; those that have another ending are ignored."""
        self.ending = ending
        self._names: dict[str, str] = {}
        self._others: set[str] = set()
        for name in names:
            if name.lower().endswith(ending) and self._names.setdefault(fold(name), name) != name:
                self._others.add(name)

    def find(self, name: str) -> str | None:
        """The file that has a name, whatever the case of its letters."""
        found = self._names.get(fold(name))
        return name if name in self._others else found

    def of(self, picture: str) -> list[str]:
        """The sidecars of a picture: ``photo.jpg.txt``, which can only mean it, before ``photo.txt``."""
        if not self._names:
            return []
        stem = picture.rpartition(".")[0]
        found = map(self.find, dict.fromkeys((picture + self.ending, (stem or picture) + self.ending)))
        return [name for name in found if name is not None and name != picture]


class ActualNames:
    """Files as they are called on disk; remembers the listings of a few folders."""

    def __init__(self, ending: str = ENDING) -> None:
        self._ending = ending
        self._indexes: OrderedDict[Path, SidecarIndex] = OrderedDict()

    def of(self, file: Path) -> Path:
        """The existing file of this name in any letter case; ``file`` itself where there is none."""
        if os.path.lexists(file):
            return file
        index = self._indexes.get(file.parent)
        if index is None:
            with contextlib.suppress(OSError), os.scandir(file.parent) as entries:
                index = SidecarIndex(sorted(entry.name for entry in entries), self._ending)
            self._indexes[file.parent] = index = index or SidecarIndex((), self._ending)
            if len(self._indexes) > _FOLDERS:
                self._indexes.popitem(last=False)
        found = index.find(file.name)
        other = file.with_name(found) if found is not None else file
        return other if os.path.lexists(other) else file


def sidecar_ending(text: str) -> str:
    """The ending of sidecars, such as ``.caption``; ConfigError for none, or one of other files."""
    ending = f".{text.strip().removeprefix('.')}".lower()
    if not _ENDING.fullmatch(ending):
        raise ConfigError(f"--sidecar-ext: {text!r} is not the ending of a file; give one such as .caption")
    if ending[1:] in EXTENSIONS:
        raise ConfigError(f"--sidecar-ext: {ending} is the ending of pictures; give one such as .caption")
    return ending


def relative_place(key: str, ending: str = ENDING) -> tuple[list[str], str]:
    """The folders and the file name for ``key`` under an output root.

    A relative path is kept. URLs lose their scheme. ``..``, backslashes, NUL and names of devices are
    replaced by underscores; ``candidates`` separates keys that then have the same name.
    """
    scheme = _SCHEME.match(key) if "://" in key else None
    portable = bool(scheme) or os.name == "nt"
    parts = (key[scheme.end() :] if scheme else key).split("/")
    names = [_name(part, portable=portable) for part in parts if part] or ["_"]
    # A folder that ends like a sidecar could collide with one.
    folders = [f"{name}_" if name.lower().endswith(ending) else name for name in names[:-1]]
    if sum(len(os.fsencode(folder)) + 1 for folder in folders) > _MAX_PATH:
        folders = [_digest("/".join(folders))]
    return [_short(folder, "") for folder in folders], names[-1]


def _name(part: str, *, portable: bool) -> str:
    name = (_UNPORTABLE if portable else _NOWHERE).sub("_", part)
    if name in {".", ".."}:
        return "_" * len(name)
    if portable and name[-1] in ". ":
        name = name[:-1] + "_"
    if _DEVICE.fullmatch(name):
        name = f"_{name}"
    return _file_name(name)


def _file_name(text: str) -> str:
    """The real name behind a text from ``name_to_text``."""
    if os.name == "nt":
        return text
    name = text_to_name(text)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return name


def candidates(picture: str, key: str, ending: str = ENDING) -> Iterator[tuple[str, bool]]:
    """Names for the sidecar of a picture, to be tried in this order until one is free.

    ``same.txt``, ``same.jpg.txt``, then one with a hash of the key, which is unique. The flag marks a
    name that pictures with another extension may need as well.
    """
    stem, dot, _ = picture.rpartition(".")
    stem = stem if dot and stem else picture
    if fold(stem + ending) != fold(picture):  # a picture is never its own sidecar
        yield _short(stem, ending), stem != picture
    yield _short(picture, ending), False
    yield _short(f"{picture}~{_digest(key)}", ending), False


def _short(name: str, ending: str) -> str:
    """``name`` plus ``ending``, shortened to 255 bytes by a hash of the whole."""
    encoded = os.fsencode(name)
    if len(encoded) + len(ending) <= _MAX_BYTES:
        return name + ending
    kept = encoded[: _MAX_BYTES - len(ending) - 9]
    while kept[-1:] >= b"\x80" and encoded[len(kept)] & 0xC0 == 0x80:
        kept = kept[:-1]  # not within a character
    return f"{os.fsdecode(kept)}~{_digest(name)}{ending}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
