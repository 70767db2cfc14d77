from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from program import COLOURS, Run, run

from server_process import Server


@pytest.fixture
def cutline(tmp_path: Path) -> Run:
    """Runs the program in a process of its own, in ``tmp_path``."""
    return functools.partial(run, cwd=tmp_path)


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five small pictures, all different; not to be written to."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(COLOURS):
        image = Image.new("RGB", (96, 64), colour)
        ImageDraw.Draw(image).ellipse((8, 8, 30 + 4 * number, 56), fill="white")
        image.save(folder / f"{colour}.jpg", quality=90)
    return folder


@pytest.fixture(scope="session")
def _endpoint() -> Iterator[Server]:
    with Server("endpoint.py") as server:
        yield server


@pytest.fixture
def endpoint(_endpoint: Server) -> Server:
    """An endpoint that works, until the test configures it otherwise."""
    _endpoint.post("/configure", {"fault": {}, "latency": 0, "key": "", "slots": 64})
    return _endpoint


@pytest.fixture(scope="session")
def _scripted(pictures: Path) -> Iterator[Server]:
    with Server("scripted.py", "--folder", str(pictures)) as server:
        yield server


@pytest.fixture
def scripted(_scripted: Server) -> Server:
    """An endpoint that answers what the test tells it to; it serves the pictures too."""
    _scripted.post("/script", {"content": "A scripted caption."})
    return _scripted
