from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "servers"))

from processes import Server


@pytest.fixture(scope="session")
def _answering() -> Iterator[Server]:
    with Server("scripted.py") as server:
        yield server


@pytest.fixture
def scripted(_answering: Server) -> Server:
    """An endpoint that answers what the test tells it to."""
    _answering.post("/script", {"content": "A scripted caption."})
    return _answering
