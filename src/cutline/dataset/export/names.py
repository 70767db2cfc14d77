"""Formats of exports by name and extension, and safe names of files in them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.files import text_to_name
from cutline.formatting import did_you_mean
from cutline.imaging import EXTENSIONS
from cutline.sinks.chosen_captions import split_choice
from cutline.sinks.tar_names import picture_kind
from cutline.sources.names import extension, is_tar, table_ending

FORMATS: Final = {
    "webdata-zip": ".zip",
    "zip": ".zip",
    "webdataset": "",
    "jsonl": ".jsonl",
    "json": ".json",
    "csv": ".csv",
    "tsv": ".tsv",
    "parquet": ".parquet",
    "kohya": ".json",
    "imagefolder": "",
    "folder": "",
    "texts": "",
}
"""The formats, with the file extension of each; empty for folders."""
_BY_ENDING: Final = {
    ".zip": "webdata-zip",
    ".jsonl": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}

# Not allowed in a name on Windows, or with a meaning to programs that unpack; "%" where it looks escaped.
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f\\:*?"<>|]|%(?=[0-9A-Fa-f]{2})|[. ](?=/|$)|^/')
_DEVICE: Final = re.compile(r"(?:(?<=/)|^)(con|prn|aux|nul|com\d|lpt\d)(?=[./]|$)", re.IGNORECASE)


def export_format(output: str, name: str | None) -> str:
    """``name``, or else the format of the output's extension; ConfigError: it is unknown or ambiguous."""
    if name is not None:
        if name not in FORMATS:
            raise ConfigError(
                f"there is no export format {name!r}{did_you_mean(name, FORMATS)}; "
                f"choose one of {', '.join(FORMATS)}"
            )
        return name
    found = _BY_ENDING.get(Path(output).suffix.lower())
    if found is None:
        raise ConfigError(
            f"cannot tell the format of {output}: end its name in {', '.join(_BY_ENDING)}, or add --format "
            f"with one of {', '.join(FORMATS)}"
        )
    return found


def edited_copy(place: str) -> tuple[str, ...]:
    """Arguments of an export of a table or shards, of the same format where there is one, to a new place."""
    place, name = split_choice(place)
    path = Path(place)
    stem, form = path.with_name(path.name.partition(".")[0] or path.name), ""
    if is_tar(place):
        form = "webdataset"
    elif path.is_dir():
        form = "webdataset" if any(is_tar(file.name) for file in path.iterdir()) else "imagefolder"
    if form:
        return (f"{stem}-edited", "--format", form)
    stem = stem.with_name(f"{stem.name}-{member_name(name).replace('/', '-')}") if name else stem
    ending = f".{table_ending(place)}"
    return (f"{stem}-edited{ending if ending in _BY_ENDING else '.jsonl'}",)


def member_name(path: str) -> str:
    """A path that every system can unpack; ``urllib.parse.unquote`` reverts it."""
    if path.isalnum():
        return path
    path = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", path)
    return _DEVICE.sub(lambda found: f"%{ord(found[0][0]):02X}{found[0][1:]}", path)


def local_name(path: str) -> str:
    """A path as it is on this system, so that a text is beside its picture; never out of the folder."""
    leads_out = any(part in {"", ".", ".."} for part in path.split("/")) or "\0" in path
    return member_name(path) if leads_out or os.name == "nt" else text_to_name(path)


def picture_name(key: str, picture: bytes) -> str:
    """The name of a picture's file, with an extension even if its key has none, as in shards."""
    if extension(key.rpartition("/")[2]) in EXTENSIONS:
        return member_name(key)
    return f"{member_name(key)}.{picture_kind(picture, key)}"
