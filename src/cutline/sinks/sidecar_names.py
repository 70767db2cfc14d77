"""Where a sidecar goes: names that are safe on any system, and never outside the output folder."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator

from cutline.files import text_to_name

ENDING = ".txt"
_MAX_BYTES = 255
_MAX_PATH = 2000
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/*")
_NOWHERE = re.compile(r"[\\\0]")
_UNPORTABLE = re.compile(r'[\\\0-\x1f<>:"|?*]')
_DEVICE = re.compile(r"(?i)(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?\s*")


def relative_place(key: str) -> tuple[list[str], str]:
    """The folders and the file name that stand for ``key`` under an output root.

    A relative path stays itself. Of a URL the scheme is left out. ``..``, backslashes, NUL and
    the names of devices are made harmless with underscores; two keys may then come to the same
    name, which ``candidates`` keeps apart.
    """
    scheme = _SCHEME.match(key) if "://" in key else None
    portable = bool(scheme) or os.name == "nt"
    parts = (key[scheme.end() :] if scheme else key).split("/")
    names = [_name(part, portable=portable) for part in parts if part] or ["_"]
    # A folder that ends like a sidecar could be in a sidecar's way.
    folders = [f"{name}_" if name.lower().endswith(ENDING) else name for name in names[:-1]]
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
    """The real name behind a text that stands for one that is not UTF-8."""
    if os.name == "nt":
        return text
    name = text_to_name(text)
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return name


def candidates(picture: str, key: str) -> Iterator[tuple[str, bool]]:
    """Names for the sidecar of a picture of that name, the best first; each is tried when the last is taken.

    ``same.txt``, ``same.jpg.txt``, then one with a hash of the key, which nobody else has. The
    flag says that a name is common: that pictures with another ending may want it as well.
    """
    stem, dot, _ = picture.rpartition(".")
    stem = stem if dot and stem else picture
    if stem + ENDING != picture:
        yield _short(stem, ENDING), stem != picture
    yield _short(picture, ENDING), False
    yield _short(f"{picture}~{_digest(key)}", ENDING), False


def _short(name: str, ending: str) -> str:
    """``name`` plus ``ending`` in at most 255 bytes; what is cut off is replaced by a hash of the whole."""
    encoded = os.fsencode(name)
    if len(encoded) + len(ending) <= _MAX_BYTES:
        return name + ending
    kept = encoded[: _MAX_BYTES - len(ending) - 9]
    while kept[-1:] >= b"\x80" and encoded[len(kept)] & 0xC0 == 0x80:
        kept = kept[:-1]  # not within a character
    return f"{os.fsdecode(kept)}~{_digest(name)}{ending}"


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=4).hexdigest()
