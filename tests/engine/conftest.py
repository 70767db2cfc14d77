from __future__ import annotations

import pytest
from batching import BatchService
from coloured_runs import colours, run  # noqa: F401 - fixtures

from engine_pictures import own_pictures, pictures  # noqa: F401 - fixtures


@pytest.fixture
def bucket(bucket, monkeypatch):
    return bucket.reached(monkeypatch)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Goes to another machine: a home and a working folder of its own."""

    def go(name):
        for folder in ("home", "work"):
            (tmp_path / name / folder).mkdir(parents=True, exist_ok=True)
        for variable in ("HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
            monkeypatch.setenv(variable, str(tmp_path / name / "home"))
        monkeypatch.chdir(tmp_path / name / "work")

    return go


@pytest.fixture(scope="session")
def _batch_service():
    with BatchService() as service:
        yield service


@pytest.fixture
def service(_batch_service):
    """A service with a batch API, which has forgotten all that was sent before."""
    _batch_service.post("/reset", {})
    return _batch_service


@pytest.fixture
def experts(servers):
    """An endpoint with any number of models, each to be scripted."""
    server = servers("experts.py")
    server.post("/forget", {})
    return server


@pytest.fixture
def chain(tmp_path):
    """Writes a chain file; returns the option that names it."""

    def write(text, name="chain.toml"):
        (tmp_path / name).write_text(text)
        return ("--chain", tmp_path / name)

    return write
