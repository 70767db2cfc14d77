from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from processes import Endpoint, end_started
from server_process import Server

# No deadline: an example takes longer where other programs run. In CI the same examples each time; elsewhere new ones,
# which is how a fault that nobody thought of is found.
hypothesis.settings.register_profile("anywhere", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "anywhere")

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos, damaged files, tars and tables that are kept beside the project, not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the test data folder {SHARED_DATA}")
    return SHARED_DATA


@pytest.fixture(autouse=True)
def processes_end() -> Iterator[None]:
    """What a test started by ``start_cutline`` and left running ends with the test."""
    yield
    end_started()


@pytest.fixture(scope="session")
def servers() -> Iterator[Callable[..., Server]]:
    """Called as ``Server``, but a script is started only once; it ends with the session."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def started(script: str, *arguments: str) -> Server:
            return stack.enter_context(Server(script, *arguments))

        yield started


@pytest.fixture(scope="session")
def _shared_endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def endpoint(_shared_endpoint: Endpoint) -> Endpoint:
    """An endpoint that was set back to its defaults; shared by tests, so that each starts quickly."""
    _shared_endpoint.reset()
    return _shared_endpoint


def pytest_collection_modifyitems(items):
    if os.environ.get("CUTLINE_SOAK"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="a long test: run by make soak"))
