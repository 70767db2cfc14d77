"""Which pictures the outcomes of an output are about, read from its journal while a run may be writing it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import orjson

from cutline.engine.content import ContentId
from cutline.engine.journal_file import MAX_LINE_BYTES
from cutline.engine.remote_journal import JOURNAL
from cutline.formatting import stored_key


def recorded_digests(folder: Path, keys: Collection[str]) -> dict[str, str]:
    """The digests of the pictures that were captioned, by stored key, as far as a journal knows them.

    Nothing is changed in the state ``folder``, and what is damaged in it is left out.
    """
    found: dict[str, str] = {}
    for line in _lines(folder / JOURNAL):
        try:
            data = orjson.loads(line)
            content_id = data.get("content") or ("type" in data and data.get("stamp")) or ""
            key = stored_key(data["key"]) if content_id else ""
            if key in keys:
                found[key] = ContentId.parse(content_id).digest or found.get(key, "")
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    return {key: digest for key, digest in found.items() if digest}


def _lines(path: Path) -> Iterator[bytes]:
    """The lines of a file; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            while line := file.readline(MAX_LINE_BYTES):
                yield line
    except OSError:
        return
