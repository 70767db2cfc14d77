from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real photos, damaged files, tars and tables that are kept beside the project, not in it."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the test data folder {SHARED_DATA}")
    return SHARED_DATA


def pytest_collection_modifyitems(items):
    if os.environ.get("CUTLINE_SOAK"):
        return
    for item in items:
        if item.get_closest_marker("soak"):
            item.add_marker(pytest.mark.skip(reason="a long test: run by make soak"))
