"""A bucket on a server of the S3 protocol, and machines that share it."""

from __future__ import annotations

import pytest

from s3_server import new_bucket, s3_server


@pytest.fixture(scope="module")
def storage():
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(storage, monkeypatch):
    with new_bucket(storage) as made:
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


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
