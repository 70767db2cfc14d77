"""The databases that a queue's tests run on: SQLite, and PostgreSQL where it is there."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres import new_database, running

from server_process import Server

KINDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    with running() as url:
        yield url


@pytest.fixture(params=KINDS)
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty store's URL."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'jobs.db'}"
    return new_database(request.getfixturevalue("postgres_server"), f"test_{secrets.token_hex(6)}")


@pytest.fixture(scope="module")
def experts(servers: Callable[..., Server]) -> Server:
    """An endpoint with any number of models, each to be scripted."""
    server = servers("experts.py")
    server.post("/forget", {})
    return server
