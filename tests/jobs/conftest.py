from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from job_surroundings import environment_of, fill

from processes import cutline, cutline_here
from server_process import Server


@pytest.fixture
def photos(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a folder of pictures that are all different."""

    def make(count: int) -> Path:
        folder = tmp_path / "photos"
        fill(folder, count)
        return folder

    return make


@pytest.fixture
def job(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a job as a container does: in a home of its own, with nothing in the environment but what is given."""

    def run(*arguments: object, home: str = "home", **told: object) -> subprocess.CompletedProcess[str]:
        return cutline("job", *arguments, cwd=tmp_path, env=environment_of(tmp_path / home, told))

    return run


@pytest.fixture
def job_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """As ``job``, within this process: for the many ways in which nothing begins."""

    def run(*arguments: object, **told: object) -> subprocess.CompletedProcess[str]:
        monkeypatch.chdir(tmp_path)
        for name, value in environment_of(tmp_path / "home", told).items():
            monkeypatch.setenv(name, value)
        return cutline_here("job", *arguments)

    return run


@pytest.fixture
def served(photos: Callable[[int], Path]) -> Iterator[tuple[str, Path]]:
    """The address of five pictures in a server of another process, and their folder."""
    folder = photos(5)
    with Server("scripted.py", "--folder", str(folder)) as server:
        yield f"{server.root}/pictures", folder
