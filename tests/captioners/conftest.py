from __future__ import annotations

from collections.abc import Iterator

import pytest

from server_process import Server


@pytest.fixture(scope="session")
def _answering() -> Iterator[Server]:
    with Server("scripted.py") as server:
        yield server


@pytest.fixture
def scripted(_answering: Server) -> Server:
    """An endpoint that answers what the test tells it to."""
    _answering.post("/script", {"content": "A scripted caption."})
    return _answering


@pytest.fixture(scope="session")
def _nvidia() -> Iterator[Server]:
    with Server("nvidia.py") as server:
        yield server


@pytest.fixture
def nvidia(_nvidia: Server) -> Server:
    """NVIDIA's hosts, as they work for ``nvapi-test``; a test may configure them otherwise."""
    _nvidia.post("/configure", {})
    return _nvidia


@pytest.fixture(scope="session")
def _services() -> Iterator[Server]:
    with Server("services.py") as server:
        yield server


@pytest.fixture
def services(_services: Server) -> Server:
    """Every service with its own ways of refusing, below a path of its own."""
    _services.post("/configure", {})
    return _services
