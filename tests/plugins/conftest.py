from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from cutline import registry


@pytest.fixture(autouse=True)
def _own_names() -> Iterator[None]:
    """Names that a test registers are its own."""
    with registry.scope():
        yield


@pytest.fixture
def plugin(tmp_path: Path) -> Callable[..., Path]:
    """Writes a plug-in file."""

    def write(code: str, name: str = "my_models.py") -> Path:
        path = tmp_path / name
        head = "import asyncio, sys, threading, time\nfrom cutline import register_model\n"
        path.write_text(head + textwrap.dedent(code))
        return path

    return write


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a folder of pictures that are named by their numbers, 60 by 40 pixels."""

    def make(count: int) -> Path:
        folder = tmp_path / "photos"
        folder.mkdir()
        for number in range(count):
            Image.new("RGB", (60, 40), (number % 256, 90, 120)).save(folder / f"{number:02}.png")
        return folder

    return make
