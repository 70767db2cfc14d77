"""Small pictures, no two of them equal."""

from __future__ import annotations

import io
import itertools

from PIL import Image

_serial = itertools.count(1)


def png():
    """A small picture that no other one in this session equals."""
    number = next(_serial)
    file = io.BytesIO()
    Image.frombytes("RGB", (4, 1), number.to_bytes(12, "big")).save(file, "PNG")
    return file.getvalue()


def fill(folder, count, start=0):
    """Write ``count`` different pictures named by number; returns their keys in order."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [f"{number:05}.png" for number in range(start, start + count)]
    for key in keys:
        (folder / key).write_bytes(png())
    return keys
