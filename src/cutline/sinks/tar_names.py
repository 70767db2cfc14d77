"""Member names of a shard: one per key, never outside the folder, read back by the webdataset library.

The library takes all up to the first dot of the base name as a sample's key, the rest as the kind.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

from cutline.imaging import sniff_format

_KEPT = " !#$&'()+,;=@[]{}^`~"  # beside letters, digits and "_-"; none is special to a file system
_ESCAPED = re.compile(r"[^\w" + re.escape(_KEPT) + "-]+", re.ASCII)
_HIDDEN = re.compile(r"__[^/]*__(/|$)")


def member_stem(key: str) -> str:
    """The name that a sample's members share; ``urllib.parse.unquote`` gives ``key`` back.

    Slashes between proper names stay; dots and whatever could lead out of the folder are escaped.
    """
    stem = "/".join(_escape(part) for part in key.split("/"))
    # An empty name between two slashes is no name: its slash is escaped.
    while "//" in stem:
        stem = stem.replace("//", "/%2F")
    if stem.startswith("/"):
        stem = "%2F" + stem[1:]
    if stem.endswith("/"):
        stem = stem[:-1] + "%2F"
    # The library passes over members that begin with __name__.
    return "%5F" + stem[1:] if _HIDDEN.match(stem) else stem or "%"


def _escape(part: str) -> str:
    if part.isascii():
        return _ESCAPED.sub(lambda found: _percent(found[0]), part)
    return "".join(c if c.isalnum() or c in _KEPT + "-_" else _percent(c) for c in part)


def _percent(characters: str) -> str:
    return quote(characters, safe="").replace(".", "%2E")  # quote() keeps dots


def member_kinds(taken: Mapping[str, bytes], members: Mapping[str, bytes]) -> dict[str, bytes]:
    """``members`` with kinds that are safe as the end of a name and not ``taken``.

    The library does not tell upper from lower case here. A member whose kind is taken becomes
    ``source.<kind>``; one with the same content as what took its place is left out.
    """
    used = {kind.lower(): data for kind, data in taken.items()}
    kinds: dict[str, bytes] = {}
    for name, data in members.items():
        kind = _safe_kind(name)
        number = 1
        while used.get(kind.lower(), data) != data:
            prefix = "source" if number == 1 else f"source{number}"
            kind = f"{prefix}.{_safe_kind(name)}"
            number += 1
        if kind.lower() not in used:
            used[kind.lower()] = kinds[kind] = data
    return kinds


def _safe_kind(name: str) -> str:
    safe = re.sub(r"[^A-Za-z0-9._+-]", "_", name)
    return re.sub(r"\.{2,}", ".", safe).strip("._")[:100] or "member"


_PICTURE_KINDS = {"JPEG": "jpg", "TIFF": "tif", "HEIF": "heic"}
_PICTURE_KINDS |= {name: name.lower() for name in ("PNG", "WEBP", "GIF", "BMP", "AVIF")}


def picture_kind(data: bytes, key: str) -> str:
    """The picture's extension by its first bytes; that of ``key`` where they are unknown."""
    kind = _PICTURE_KINDS.get(sniff_format(data) or "")
    last = key.rpartition("/")[2]
    return kind or (_safe_kind(last.rpartition(".")[2].lower()) if "." in last else "img")
