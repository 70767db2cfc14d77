"""Counts what an input holds and a source does not deliver, and names the first of it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable

from cutline.files import name_to_text
from cutline.records import LeftOver

_NAMED = 3
_REMARKS = {
    "archive": (
        "archive within the input",
        "archives within the input",
        "give it as an input of its own (zip and tar), or unpack it",
    ),
    "excluded": (
        "file by its name",
        "files by their names",
        "--exclude none leaves out nothing",
    ),
    "excluded-folder": (
        "folder by its name",
        "folders by their names",
        "--exclude none leaves out nothing",
    ),
    "hidden": (
        "hidden picture",
        "hidden pictures",
        "its name begins with a dot; rename it to caption it",
    ),
    "further-picture": (
        "further picture of a webdataset sample",
        "further pictures of webdataset samples",
        "--sample-pictures each captions them too, --image-column names the ending to caption",
    ),
    "large-member": (
        "member of a webdataset sample that is too large to be carried along",
        "members of webdataset samples that are too large to be carried along",
        "their pictures are captioned; take such members out of the tar if the output is to hold all",
    ),
    "other-cell": (
        "cell that is not a picture, path or URL",
        "cells that are not pictures, paths or URLs",
        "--image-column names the column with pictures",
    ),
    "packed-picture": (
        "compressed picture",
        "compressed pictures",
        "unpack them first",
    ),
    "scattered-member": (
        "part of a webdataset sample away from its picture",
        "parts of webdataset samples away from their pictures",
        "make the tar again with its names sorted (tar --sort=name), or give it unpacked and below 2 GiB",
    ),
    "unread-metadata": (
        "metadata table that cannot be read",
        "metadata tables that cannot be read",
        "its pictures are captioned without its columns; mend it, it needs a column file_name",
    ),
    "linked-text": (
        "text beside a picture that lies out of the input, behind a link",
        "texts beside pictures that lie out of the input, behind links",
        "--follow-links reads them",
    ),
    "unended-stream": (
        "Arrow stream without a mark at its end",
        "Arrow streams without a mark at their ends",
        "if rows are missing it was cut: make it again",
    ),
    "unread-json": (
        "JSON file beside a picture that is not an object of fields",
        "JSON files beside pictures that are not objects of fields",
        "their fields are the prompt's variables; make them valid JSON objects, or move them away",
    ),
    "unfinished-download": (
        "picture that is named as an unfinished download",
        "pictures that are named as unfinished downloads",
        "download them again, or rename what is whole",
    ),
    "unknown-ending": (
        "file whose ending is not known as a picture's",
        "files whose endings are not known as pictures'",
        "rename what is a picture",
    ),
    "unsupported-format": (
        "picture in a format that cannot be opened",
        "pictures in formats that cannot be opened",
        "convert them to PNG or JPEG",
    ),
    "unnamed-table": (
        "table or tar without an ending that names it",
        "tables or tars without endings that name them",
        "add the ending, such as .parquet, .jsonl or .tar, or give it as the input",
    ),
    "unread-list": (
        "list of URLs beside the pictures",
        "lists of URLs beside the pictures",
        "give it as an input of its own",
    ),
    "unread-picture": (
        "picture beside the tables or tars",
        "pictures beside the tables or tars",
        "--source-type local captions the pictures instead",
    ),
    "unread-shard": (
        "tar beside the tables",
        "tars beside the tables",
        "--source-type webdataset captions the tars instead",
    ),
    "unread-table": (
        "table of pictures beside the tars",
        "tables of pictures beside the tars",
        "--source-type table captions the tables instead",
    ),
    "not-in-metadata": (
        "picture that no row of a metadata file names",
        "pictures that no row of a metadata file names",
        "--source-type local captions every picture of the folder",
    ),
}
"""Each kind with its noun, the plural, and what to do about it."""


def merged(records: Iterable[LeftOver]) -> list[LeftOver]:
    """One record for each kind, of several listings of the input; what two of them name counts once."""
    found: dict[tuple[str, str], LeftOver] = {}
    for record in records:
        known = found.setdefault((record.kind, record.cure), record)
        if known is record:
            continue
        new = tuple(name for name in record.examples if name not in known.examples)
        count = known.count + record.count - (len(record.examples) - len(new))
        found[record.kind, record.cure] = dataclasses.replace(
            known,
            count=count,
            what=_REMARKS[record.kind][count > 1] if record.kind in _REMARKS else known.what,
            examples=(*known.examples, *new)[:_NAMED],
        )
    return sorted(found.values(), key=lambda record: record.kind)


class LeftOvers:
    """The left-overs of one listing by kind; ``clear`` begins the next."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._names: dict[str, list[str]] = {}

    def clear(self) -> None:
        self._counts.clear()
        self._names.clear()

    def note(self, kind: str, name: str) -> None:
        """Count one; ``kind`` is in the table of this module."""
        self._counts[kind] += 1
        names = self._names.setdefault(kind, [])
        if len(names) < _NAMED:
            names.append(name_to_text(name))

    def records(self) -> tuple[LeftOver, ...]:
        return tuple(self._record(kind, count) for kind, count in sorted(self._counts.items()))

    def _record(self, kind: str, count: int) -> LeftOver:
        one, several, cure = _REMARKS[kind]
        return LeftOver(
            kind=kind,
            count=count,
            examples=tuple(self._names[kind]),
            what=one if count == 1 else several,
            cure=cure,
        )
