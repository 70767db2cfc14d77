"""What files with an unknown extension are: pictures, by their first bytes, or in other formats."""

from __future__ import annotations

import contextlib
import os

from cutline.errors import PictureError
from cutline.imaging.formats import MIMES, can_open_heic, sniff_format
from cutline.regular_files import open_regular

_HEAD = 1024
_TO_PARQUET = "convert it to Parquet, with the pictures' bytes, paths or URLs"
_CURES = {  # of formats that people have and cutline does not read
    "7z ace cab dmg iso rar": "unpack it, and give the folder",
    "numbers ods xls xlsb xlsm xlsx": "save the sheet as CSV",
    "avi doc docx htm html m4v mkv mov mp4 mpg pdf ppt pptx webm": "save its pictures in a folder",
    "xml yaml yml": "convert it to JSON or CSV",
    "avro beton ckpt db duckdb h5 hdf5 joblib lance lmdb mat mdb msgpack npy npz": _TO_PARQUET,
    "orc pickle pkl pt pth rec sqlite sqlite3 tfrecord tfrecords": _TO_PARQUET,
    "toml": "`cutline run` takes job files",
}
_CURE_OF = {ending: cure for endings, cure in _CURES.items() for ending in endings.split()}
_WEAK = frozenset({"PPM"})  # two letters that a text may begin with


def cure_of(file: str) -> str:
    """How to make an input of a file in a format that is not read; empty for an unknown ending."""
    return _CURE_OF.get(file.rpartition(".")[2].lower(), "")


def sniff_file(file: str) -> str:
    """The format's name as from ``sniff_format``; empty where it is unknown or the file cannot be read."""
    return sniff_bytes(first_bytes(file))


def first_bytes(file: str, size: int = _HEAD) -> bytes:
    """The beginning of a file; empty where it cannot be read."""
    head = b""
    with contextlib.suppress(OSError, PictureError):
        descriptor, _ = open_regular(file)
        try:
            head = os.read(descriptor, size)
        finally:
            os.close(descriptor)
    return head


def sniff_bytes(data: bytes) -> str:
    """As ``sniff_file``."""
    name = sniff_format(data[:_HEAD]) or ""
    if name in _WEAK or (name == "BMP" and data[6:10] != bytes(4)):
        return ""
    return name


def is_picture(name: str) -> bool:
    """Whether a format can be opened here."""
    return name in MIMES and (name != "HEIF" or can_open_heic())
