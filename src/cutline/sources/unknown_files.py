"""Tells by the first bytes whether a file with an unknown extension is a picture."""

from __future__ import annotations

import contextlib
import os

from cutline.errors import PictureError
from cutline.imaging.formats import MIMES, can_open_heic, sniff_format
from cutline.regular_files import open_regular

_HEAD = 1024
_WEAK = frozenset({"PPM"})  # two letters that a text may begin with


def sniff_file(file: str) -> str:
    """The format's name as of ``sniff_format``; empty where it is unknown or the file cannot be read."""
    head = b""
    with contextlib.suppress(OSError, PictureError):
        descriptor, _ = open_regular(file)
        try:
            head = os.read(descriptor, _HEAD)
        finally:
            os.close(descriptor)
    return sniff_bytes(head)


def sniff_bytes(data: bytes) -> str:
    """As ``sniff_file``."""
    name = sniff_format(data[:_HEAD]) or ""
    if name in _WEAK or (name == "BMP" and data[6:10] != bytes(4)):
        return ""
    return name


def is_picture(name: str) -> bool:
    """Whether a format can be opened here."""
    return name in MIMES and (name != "HEIF" or can_open_heic())
