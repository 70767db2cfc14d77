"""Runs with an endpoint that names the colour of each picture."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from processes import cutline_here
from server_process import Server


@pytest.fixture(scope="module")
def colours():
    with Server("colours.py") as server:
        yield server


@pytest.fixture
def run(colours):
    """Caption with an endpoint that names the colour of each picture; returns the number of requests."""

    def caption(source, output, *options, code=0):
        before = colours.get("/stats")["requests"]
        arguments = ("caption", source, output, "--endpoint", colours.url, "--model", "colours", *options)
        done = cutline_here(*arguments)
        assert done.returncode == code, done.stderr
        return colours.get("/stats")["requests"] - before

    return caption


def bmp(colour):
    """Pictures of one size, however they look."""
    file = io.BytesIO()
    Image.new("RGB", (16, 8), colour).save(file, "BMP")
    return file.getvalue()
