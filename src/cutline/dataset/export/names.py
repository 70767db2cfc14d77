"""Formats of exports by their names and endings, and safe names of files in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from cutline.errors import ConfigError
from cutline.formatting import did_you_mean
from cutline.imaging import EXTENSIONS
from cutline.sinks.tar_names import picture_kind
from cutline.sources.names import extension

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
}
"""The formats, and the ending of a file in each; empty where it is a folder."""
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
    """``name``, or else the format of the output's ending; ConfigError: it is unknown, or not plain."""
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


def member_name(path: str) -> str:
    """A path as every system can unpack it, inverse to ``urllib.parse.unquote``."""
    if path.isalnum():
        return path
    path = _UNSAFE.sub(lambda found: f"%{ord(found[0]):02X}", path)
    return _DEVICE.sub(lambda found: f"%{ord(found[0][0]):02X}{found[0][1:]}", path)


def picture_name(key: str, picture: bytes) -> str:
    """The name of a picture's file, with an ending also where its key has none, as in shards."""
    if extension(key.rpartition("/")[2]) in EXTENSIONS:
        return member_name(key)
    return f"{member_name(key)}.{picture_kind(picture, key)}"
