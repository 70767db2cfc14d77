from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from program import COLOURS, Ran, Run, clean_environment, run

from processes import DEFAULTS, cutline_here
from server_process import Server


@pytest.fixture
def cutline(tmp_path: Path) -> Run:
    """Runs the program in a process of its own, in ``tmp_path``."""
    return functools.partial(run, cwd=tmp_path)


@pytest.fixture
def here(tmp_path: Path) -> Run:
    """Runs the program in this process, in ``tmp_path``: the same code without the second that a start takes.

    A file whose tests are not about processes, streams or what a start reads defines ``cutline`` as this.
    """

    def run_here(*arguments: str, cwd: Path = tmp_path, **environment: str) -> Ran:
        before = dict(os.environ)
        try:
            cleaned = clean_environment(**environment)
            os.environ.clear()
            os.environ.update(cleaned)
            with contextlib.chdir(cwd):
                done = cutline_here(*arguments)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return Ran(done.returncode, done.stdout, done.stderr)

    return run_here


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of five small pictures, all different; not to be written to."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, colour in enumerate(COLOURS):
        image = Image.new("RGB", (96, 64), colour)
        ImageDraw.Draw(image).ellipse((8, 8, 30 + 4 * number, 56), fill="white")
        image.save(folder / f"{colour}.jpg", quality=90)
    return folder


@pytest.fixture
def endpoint(servers: Callable[..., Server]) -> Server:
    """An endpoint that works, until the test configures it otherwise."""
    server = servers("endpoint.py")
    server.post("/configure", DEFAULTS)
    return server


@pytest.fixture
def scripted(servers: Callable[..., Server], pictures: Path) -> Server:
    """An endpoint that answers what the test tells it to; it serves the pictures too."""
    server = servers("scripted.py", "--folder", str(pictures))
    server.post("/script", {"content": "A scripted caption."})
    return server
