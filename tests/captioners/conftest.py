from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from server_process import Server


@pytest.fixture
def scripted(servers: Callable[..., Server]) -> Server:
    """An endpoint that answers what the test tells it to."""
    server = servers("scripted.py")
    server.post("/script", {"content": "A scripted caption."})
    return server


@pytest.fixture
def nvidia(servers: Callable[..., Server]) -> Server:
    """NVIDIA's hosts, as they work for ``nvapi-test``; a test may configure them otherwise."""
    server = servers("nvidia.py")
    server.post("/configure", {})
    return server


@pytest.fixture
def services(servers: Callable[..., Server]) -> Server:
    """Every service with its own ways of refusing, below a path of its own."""
    server = servers("services.py")
    server.post("/configure", {})
    return server


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a family's tiny model, made when it is first asked for."""
    from tiny_families import FAMILIES

    made: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in made:
            made[name] = FAMILIES[name](tmp_path_factory.mktemp("model") / name)
        return made[name]

    return folder
