"""Small pictures, no two of them equal, and the same ones each time a test runs."""

from __future__ import annotations

import hashlib
import io
import itertools

import pytest
from PIL import Image

_salt = ""
_numbers = itertools.count()


def begin(test):
    """Start the pictures of one test over."""
    global _salt, _numbers
    _salt, _numbers = test, itertools.count()


def png():
    """The next picture of this test."""
    pixels = hashlib.blake2b(f"{_salt}/{next(_numbers)}".encode(), digest_size=24).digest()
    file = io.BytesIO()
    Image.frombytes("RGB", (4, 2), pixels).save(file, "PNG")
    return file.getvalue()


def fill(folder, count, start=0):
    """Write ``count`` different pictures named by number; returns their keys in order."""
    folder.mkdir(parents=True, exist_ok=True)
    keys = [f"{number:05}.png" for number in range(start, start + count)]
    for key in keys:
        (folder / key).write_bytes(png())
    return keys


@pytest.fixture(autouse=True)
def own_pictures(request):
    """The same pictures each time a test runs."""
    begin(request.node.nodeid)


@pytest.fixture
def pictures(tmp_path):
    """Makes a folder of different small pictures."""

    def make(count, name="pictures"):
        folder = tmp_path / name
        fill(folder, count)
        return folder

    return make
